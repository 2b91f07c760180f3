"""What an agent is told of rota: in a few lines when it connects, in full when it asks, and as a skill in the workspace."""

from __future__ import annotations

INSTRUCTIONS = """\
rota runs the jobs of this workspace: commands, scripts and agent prompts, on a schedule or on events, and can say what \
happened and why.
- Look before you act: job_list, job_show, job_why (why something ran or did not), run_show, run_logs.
- To have something done later or again and again, make a job with job_create; never sleep, poll or use cron.
- Before job_create: look whether such a job is there, and change that one. Check a longer text with job_check.
- What you change may become a proposal ("Proposed as P-12"): a person decides. Do not wait, do not ask twice; \
proposal_show says what was decided. What a person removed or denied stays so.
- Times are in the workspace's zone (whoami) unless a job has its own `timezone`.
- Never write a password or key into a job: write ${NAME}, and ask a person to run `rota secret set NAME`.
- Ask people with `ask`, tell them with `notify`, both sparingly. Call `help` for how a job is written.
"""

GUIDE = """\
# rota, for agents

A job is a file in .rota/jobs/: when it runs, what it does, who hears of it. Use the tools, not the files: they check what \
you write, keep comments, and record who did it.

## Make a job
job_create {"id": "nightly-backup", "schedule": "0 2 * * *", "run": "make backup", "why": "the person asked for it"}
job_create {"id": "morning-brief", "schedule": "0 8 * * 1-5", "prompt": "Summarise what changed since yesterday.", \
"keys": {"output": "now/brief.md"}}

Schedules: cron ("0 8 * * 1-5"), "every 4h", hourly, daily, weekly, "at 2026-12-01T09:00", manual. `timezone:` per job.
With more steps, give `text`, the whole file:

    id: weekly-plan
    schedule: "0 20 * * 0"
    steps:
      - pull: calendar
        days: 14
      - id: context
        context: weekly planning
      - agent: "Draft the plan for the week. {{ steps.context.output }}"
        output: now/weekly-plan.md
    notify: [desktop]

Steps: run (a shell command), script, python, http, pull (a source), context, search, agent, skill, write, notify, approve.
Keys of a step: id, needs, if, timeout, retry, output. Keys of a job: timezone, if, overlap, catch_up, timeout, params,
budget, success_if, notify, on_error. Other starts, under `on:`: files, poll, webhook, job (after another job).
Values: {{ params.x }}, {{ steps.ID.output }}, {{ payload.x }}, {{ today }}. Secrets: ${NAME}, never the value.

## Look
job_why tells why a job ran, did not run, or failed, and when it goes next. run_show has each step with its output; run_logs
what it printed. job_test renders everything and runs nothing.

## What you may do
whoami says it. `propose`: a person sees your `why`, the diff and the next fires, and decides; so write a `why` that helps.
You cannot decide about proposals, nor answer what is in the inbox. A run cannot start its own job.
"""

SKILL = """\
---
name: rota
description: Schedule work, look at scheduled jobs and their runs, and find out why something ran, failed or did not run, \
with rota. Use it whenever something is to happen later, regularly, or after something else; and for questions about jobs, \
runs, schedules, reminders and the workspace's board.
---

# rota

This workspace's jobs are run by rota: commands, scripts and agent prompts, on a schedule or on events.

If you have rota's MCP tools (`job_list`, `job_create`, `help`, ...), use them: what you change is checked, recorded with
your name, and put before a person where the workspace wants that. Call `help` once for how a job is written.

Without them, use the command line; it says what to do next, and every read takes `--json`:

| to | command |
|---|---|
| see what there is | `rota list`, `rota show JOB`, `rota status` |
| know why it ran, failed, or did not run | `rota why JOB`, `rota history JOB`, `rota logs JOB` |
| know when it runs next | `rota next JOB` |
| try without doing anything | `rota test JOB`, `rota check` |
| start one now | `rota run JOB` |
| make one | `rota add ID --schedule "0 8 * * 1-5" --run "make report"`, or `--prompt "..."` |
| change one | `rota edit JOB --set schedule=hourly` |
| stop one for a while | `rota pause JOB --reason "..."`, `rota resume JOB` |
| find something in the files | `rota search WORDS`, `rota context --for WORDS` |

- In a run of rota's, these commands answer as the tools do: "Proposed as P-12" means that a person decides.
- Ask before you make, change, pause or remove a job of a person, and say when it would run next.
- Look whether there is such a job already (`rota list`), and change that one rather than make another.
- Never sleep, poll in a loop, or write to crontab: make a job.
- Never write a key or password into a job: write `${NAME}`, and ask the person to run `rota secret set NAME`.
- What a person removed or denied stays so. Proposals (`P-12`) and approvals are answered by people: never by you.
"""
