#!/bin/sh
# A notification channel that works everywhere: one line a message in now/notifications.log.
# rota gives the message on stdin, and its title and job as ROTA_TITLE and ROTA_JOB.
set -eu
mkdir -p now
printf '%s  %s: %s\n' "$(date '+%Y-%m-%d %H:%M')" "${ROTA_TITLE:-$ROTA_JOB}" "$(cat)" >> now/notifications.log
