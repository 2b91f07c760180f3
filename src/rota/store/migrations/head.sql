CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL,
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
CREATE TABLE job_definitions (
	workspace_id TEXT NOT NULL,
	hash TEXT NOT NULL,
	body TEXT NOT NULL,
	PRIMARY KEY (workspace_id, hash)
)
 STRICT;
CREATE TABLE jobs (
	workspace_id TEXT NOT NULL,
	id TEXT NOT NULL,
	name TEXT NOT NULL,
	hash TEXT NOT NULL,
	origin TEXT NOT NULL,
	path TEXT,
	description TEXT NOT NULL,
	schedule TEXT NOT NULL,
	timezone TEXT NOT NULL,
	enabled INTEGER NOT NULL,
	paused_at INTEGER,
	paused_reason TEXT,
	error TEXT,
	warnings TEXT NOT NULL,
	created_at INTEGER NOT NULL,
	updated_at INTEGER NOT NULL,
	removed_at INTEGER, created_by INTEGER, changed_by INTEGER, removed_by INTEGER,
	PRIMARY KEY (workspace_id, id),
	FOREIGN KEY(workspace_id, hash) REFERENCES job_definitions (workspace_id, hash)
)
 STRICT;
CREATE TABLE broken_files (
	workspace_id TEXT NOT NULL,
	path TEXT NOT NULL,
	error TEXT NOT NULL,
	line INTEGER,
	hint TEXT,
	seen_at INTEGER NOT NULL,
	PRIMARY KEY (workspace_id, path)
)
 STRICT;
CREATE TABLE triggers (
	workspace_id TEXT NOT NULL,
	job_id TEXT NOT NULL,
	trigger_id TEXT NOT NULL,
	kind TEXT NOT NULL,
	text TEXT NOT NULL,
	timezone TEXT NOT NULL,
	anchor INTEGER,
	since INTEGER NOT NULL,
	next_due INTEGER,
	active INTEGER NOT NULL,
	PRIMARY KEY (workspace_id, job_id, trigger_id),
	FOREIGN KEY(workspace_id, job_id) REFERENCES jobs (workspace_id, id)
)
 STRICT;
CREATE INDEX triggers_due ON triggers (workspace_id, next_due) WHERE active = 1 AND next_due IS NOT NULL;
CREATE TABLE occurrences (
	workspace_id TEXT NOT NULL,
	job_id TEXT NOT NULL,
	trigger_id TEXT NOT NULL,
	"key" TEXT NOT NULL,
	due_at INTEGER NOT NULL,
	noticed_at INTEGER NOT NULL,
	outcome TEXT NOT NULL,
	reason_code TEXT NOT NULL,
	reason_text TEXT NOT NULL,
	run_id TEXT,
	until INTEGER,
	count INTEGER NOT NULL,
	detail TEXT NOT NULL,
	PRIMARY KEY (workspace_id, job_id, trigger_id, "key"),
	FOREIGN KEY(workspace_id, job_id) REFERENCES jobs (workspace_id, id)
)
 STRICT;
CREATE INDEX occurrences_by_due ON occurrences (workspace_id, job_id, due_at);
CREATE INDEX occurrences_of_run ON occurrences (workspace_id, run_id) WHERE run_id IS NOT NULL;
CREATE INDEX occurrences_stretches ON occurrences (workspace_id, job_id, until) WHERE until IS NOT NULL;
CREATE TABLE runs (
	workspace_id TEXT NOT NULL,
	id TEXT NOT NULL,
	job_id TEXT NOT NULL,
	state TEXT NOT NULL,
	definition TEXT NOT NULL,
	queued_at INTEGER NOT NULL,
	trigger_id TEXT NOT NULL,
	occurrence_key TEXT,
	due_at INTEGER,
	reason_code TEXT NOT NULL,
	reason_text TEXT NOT NULL,
	inputs TEXT NOT NULL,
	concurrency_group TEXT,
	priority INTEGER NOT NULL,
	token INTEGER NOT NULL,
	owner TEXT,
	lease_until INTEGER,
	not_before INTEGER,
	started_at INTEGER,
	finished_at INTEGER,
	cancel_requested INTEGER NOT NULL,
	outputs TEXT NOT NULL,
	PRIMARY KEY (workspace_id, id),
	FOREIGN KEY(workspace_id, job_id) REFERENCES jobs (workspace_id, id),
	FOREIGN KEY(workspace_id, definition) REFERENCES job_definitions (workspace_id, hash)
)
 STRICT;
CREATE INDEX runs_active ON runs (workspace_id, job_id, state) WHERE state IN ('queued', 'running', 'waiting');
CREATE INDEX runs_by_job ON runs (workspace_id, job_id, queued_at, id);
CREATE INDEX runs_by_time ON runs (workspace_id, queued_at, id);
CREATE INDEX runs_queued ON runs (workspace_id, priority DESC, queued_at, id) WHERE state = 'queued';
CREATE INDEX runs_running ON runs (workspace_id, owner) WHERE state = 'running';
CREATE INDEX runs_waiting ON runs (workspace_id, not_before) WHERE state = 'waiting';
CREATE TABLE steps (
	workspace_id TEXT NOT NULL,
	run_id TEXT NOT NULL,
	step_id TEXT NOT NULL,
	position INTEGER NOT NULL,
	state TEXT NOT NULL,
	attempts INTEGER NOT NULL,
	started_at INTEGER,
	finished_at INTEGER,
	retry_at INTEGER,
	reason_code TEXT,
	reason_text TEXT,
	output TEXT NOT NULL,
	outputs TEXT NOT NULL,
	PRIMARY KEY (workspace_id, run_id, step_id),
	FOREIGN KEY(workspace_id, run_id) REFERENCES runs (workspace_id, id) ON DELETE CASCADE
)
 STRICT;
CREATE TABLE attempts (
	workspace_id TEXT NOT NULL,
	run_id TEXT NOT NULL,
	step_id TEXT NOT NULL,
	number INTEGER NOT NULL,
	state TEXT NOT NULL,
	started_at INTEGER NOT NULL,
	finished_at INTEGER,
	exit_code INTEGER,
	reason_code TEXT,
	reason_text TEXT,
	excerpt TEXT NOT NULL,
	log TEXT,
	output_bytes INTEGER NOT NULL,
	truncated INTEGER NOT NULL,
	PRIMARY KEY (workspace_id, run_id, step_id, number),
	FOREIGN KEY(workspace_id, run_id) REFERENCES runs (workspace_id, id) ON DELETE CASCADE
)
 STRICT;
CREATE TABLE outbox (
	workspace_id TEXT NOT NULL,
	"key" TEXT NOT NULL,
	channel TEXT NOT NULL,
	body TEXT NOT NULL,
	created_at INTEGER NOT NULL,
	title TEXT NOT NULL,
	config TEXT NOT NULL,
	job_id TEXT,
	run_id TEXT,
	state TEXT NOT NULL,
	attempts INTEGER NOT NULL,
	not_before INTEGER NOT NULL,
	claimed_at INTEGER,
	sent_at INTEGER,
	error TEXT,
	PRIMARY KEY (workspace_id, "key")
)
 STRICT;
CREATE INDEX outbox_by_run ON outbox (workspace_id, run_id, created_at) WHERE run_id IS NOT NULL;
CREATE INDEX outbox_by_time ON outbox (workspace_id, created_at);
CREATE INDEX outbox_pending ON outbox (workspace_id, not_before) WHERE state = 'pending';
CREATE INDEX outbox_sending ON outbox (workspace_id, claimed_at) WHERE state = 'sending';
CREATE TABLE events (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	workspace_id TEXT NOT NULL,
	kind TEXT NOT NULL,
	at INTEGER NOT NULL,
	job_id TEXT,
	run_id TEXT,
	data TEXT NOT NULL
)
 STRICT;
CREATE INDEX events_by_job ON events (workspace_id, job_id, id) WHERE job_id IS NOT NULL;
CREATE TABLE daemons (
	workspace_id TEXT NOT NULL,
	id TEXT NOT NULL,
	pid INTEGER NOT NULL,
	host TEXT NOT NULL,
	started_at INTEGER NOT NULL,
	seen_at INTEGER NOT NULL,
	stopped_at INTEGER,
	PRIMARY KEY (workspace_id, id)
)
 STRICT;
CREATE TABLE cursors (
	workspace_id TEXT NOT NULL,
	name TEXT NOT NULL,
	value TEXT NOT NULL,
	updated_at INTEGER NOT NULL,
	PRIMARY KEY (workspace_id, name)
)
 STRICT;
CREATE TABLE deliveries (
	workspace_id TEXT NOT NULL,
	id TEXT NOT NULL,
	hook TEXT NOT NULL,
	job_id TEXT NOT NULL,
	trigger_id TEXT NOT NULL,
	"key" TEXT NOT NULL,
	digest TEXT NOT NULL,
	client TEXT NOT NULL,
	headers TEXT NOT NULL,
	"query" TEXT NOT NULL,
	body TEXT NOT NULL,
	is_binary INTEGER NOT NULL,
	size INTEGER NOT NULL,
	received_at INTEGER NOT NULL,
	forgotten INTEGER NOT NULL,
	run_id TEXT,
	PRIMARY KEY (workspace_id, id),
	FOREIGN KEY(workspace_id, job_id) REFERENCES jobs (workspace_id, id)
)
 STRICT;
CREATE UNIQUE INDEX deliveries_by_key ON deliveries (workspace_id, job_id, trigger_id, "key");
CREATE INDEX deliveries_by_digest ON deliveries (workspace_id, hook, digest);
CREATE INDEX deliveries_by_hook ON deliveries (workspace_id, hook, received_at);
CREATE INDEX deliveries_by_time ON deliveries (workspace_id, received_at);
CREATE INDEX deliveries_of_run ON deliveries (workspace_id, run_id) WHERE run_id IS NOT NULL;
CREATE INDEX deliveries_kept ON deliveries (workspace_id, received_at) WHERE forgotten = 0;
CREATE TABLE looks (
	workspace_id TEXT NOT NULL,
	job_id TEXT NOT NULL,
	trigger_id TEXT NOT NULL,
	kind TEXT NOT NULL,
	text TEXT NOT NULL,
	fingerprint TEXT NOT NULL,
	partial INTEGER NOT NULL,
	looked_at INTEGER,
	news_at INTEGER,
	found TEXT NOT NULL,
	failures INTEGER NOT NULL,
	failing_since INTEGER,
	error TEXT,
	told INTEGER NOT NULL,
	not_before INTEGER,
	PRIMARY KEY (workspace_id, job_id, trigger_id),
	FOREIGN KEY(workspace_id, job_id) REFERENCES jobs (workspace_id, id)
)
 STRICT;
CREATE TABLE seen (
	workspace_id TEXT NOT NULL,
	job_id TEXT NOT NULL,
	trigger_id TEXT NOT NULL,
	item TEXT NOT NULL,
	version TEXT NOT NULL,
	seen_at INTEGER NOT NULL,
	PRIMARY KEY (workspace_id, job_id, trigger_id, item),
	FOREIGN KEY(workspace_id, job_id) REFERENCES jobs (workspace_id, id)
)
 STRICT;
CREATE TABLE approvals (
	workspace_id TEXT NOT NULL,
	run_id TEXT NOT NULL,
	step_id TEXT NOT NULL,
	kind TEXT NOT NULL,
	question TEXT NOT NULL,
	asked_at INTEGER NOT NULL,
	job_id TEXT NOT NULL,
	choices TEXT NOT NULL,
	state TEXT NOT NULL,
	answer TEXT,
	answered_at INTEGER,
	answered_by TEXT,
	preview TEXT,
	expires_at INTEGER,
	fallback TEXT,
	on_deny TEXT,
	reason TEXT,
	PRIMARY KEY (workspace_id, run_id, step_id),
	FOREIGN KEY(workspace_id, run_id) REFERENCES runs (workspace_id, id) ON DELETE CASCADE
)
 STRICT;
CREATE INDEX approvals_open ON approvals (workspace_id, asked_at) WHERE state = 'open';
CREATE INDEX approvals_expiring ON approvals (workspace_id, expires_at) WHERE state = 'open';
CREATE TABLE sessions (
	workspace_id TEXT NOT NULL,
	"key" TEXT NOT NULL,
	runner TEXT NOT NULL,
	id TEXT NOT NULL,
	model TEXT,
	totals TEXT NOT NULL,
	grants TEXT NOT NULL,
	refused TEXT NOT NULL,
	asked TEXT NOT NULL,
	said TEXT NOT NULL,
	open INTEGER NOT NULL,
	updated_at INTEGER NOT NULL,
	run_id TEXT,
	PRIMARY KEY (workspace_id, "key"),
	FOREIGN KEY(workspace_id, run_id) REFERENCES runs (workspace_id, id) ON DELETE CASCADE
)
 STRICT;
CREATE INDEX sessions_of_run ON sessions (workspace_id, run_id) WHERE run_id IS NOT NULL;
CREATE INDEX sessions_kept ON sessions (workspace_id, updated_at) WHERE run_id IS NULL;
CREATE TABLE spend (
	workspace_id TEXT NOT NULL,
	run_id TEXT NOT NULL,
	step_id TEXT NOT NULL,
	"key" TEXT NOT NULL,
	job_id TEXT NOT NULL,
	attempt INTEGER NOT NULL,
	at INTEGER NOT NULL,
	runner TEXT NOT NULL,
	model TEXT NOT NULL,
	input INTEGER NOT NULL,
	output INTEGER NOT NULL,
	cache_read INTEGER NOT NULL,
	cache_write INTEGER NOT NULL,
	nano_usd INTEGER,
	client_nano_usd INTEGER,
	turns INTEGER NOT NULL,
	worked INTEGER NOT NULL,
	PRIMARY KEY (workspace_id, run_id, step_id, "key"),
	FOREIGN KEY(workspace_id, job_id) REFERENCES jobs (workspace_id, id)
)
 STRICT;
CREATE INDEX spend_by_job ON spend (workspace_id, job_id, at);
CREATE INDEX spend_by_time ON spend (workspace_id, at);
CREATE TABLE accounts (
	workspace_id TEXT NOT NULL,
	run_id TEXT NOT NULL,
	step_id TEXT NOT NULL,
	attempt INTEGER NOT NULL,
	job_id TEXT NOT NULL,
	token INTEGER NOT NULL,
	runner TEXT NOT NULL,
	model TEXT NOT NULL,
	opened_at INTEGER NOT NULL,
	closed_at INTEGER,
	nano_usd INTEGER NOT NULL,
	tokens INTEGER NOT NULL,
	turns INTEGER NOT NULL,
	worked INTEGER NOT NULL,
	over TEXT,
	PRIMARY KEY (workspace_id, run_id, step_id, attempt),
	FOREIGN KEY(workspace_id, run_id) REFERENCES runs (workspace_id, id) ON DELETE CASCADE
)
 STRICT;
CREATE INDEX accounts_open ON accounts (workspace_id, run_id, step_id, attempt) WHERE closed_at IS NULL;
CREATE INDEX accounts_by_step ON accounts (workspace_id, job_id, step_id, opened_at);
CREATE TABLE cards (
	workspace_id TEXT NOT NULL,
	number INTEGER NOT NULL,
	title TEXT NOT NULL,
	lane TEXT NOT NULL,
	created_by TEXT NOT NULL,
	created_at INTEGER NOT NULL,
	updated_at INTEGER NOT NULL,
	body TEXT NOT NULL,
	position INTEGER NOT NULL,
	kind TEXT NOT NULL,
	tags TEXT NOT NULL,
	due TEXT,
	assignee TEXT,
	version INTEGER NOT NULL,
	comments INTEGER NOT NULL,
	"key" TEXT,
	links TEXT NOT NULL,
	data TEXT NOT NULL,
	archived_at INTEGER,
	removed_at INTEGER,
	PRIMARY KEY (workspace_id, number)
)
 STRICT;
CREATE INDEX cards_open ON cards (workspace_id, lane, position) WHERE archived_at IS NULL;
CREATE INDEX cards_archived ON cards (workspace_id, archived_at) WHERE archived_at IS NOT NULL AND removed_at IS NULL;
CREATE UNIQUE INDEX cards_by_key ON cards (workspace_id, "key") WHERE key IS NOT NULL;
CREATE TABLE card_comments (
	workspace_id TEXT NOT NULL,
	card INTEGER NOT NULL,
	id INTEGER NOT NULL,
	author TEXT NOT NULL,
	body TEXT NOT NULL,
	at INTEGER NOT NULL,
	PRIMARY KEY (workspace_id, card, id),
	FOREIGN KEY(workspace_id, card) REFERENCES cards (workspace_id, number) ON DELETE CASCADE
)
 STRICT;
CREATE TABLE takes (
	workspace_id TEXT NOT NULL,
	run_id TEXT NOT NULL,
	step_id TEXT NOT NULL,
	asked_at INTEGER NOT NULL,
	taken_by TEXT NOT NULL,
	taken_at INTEGER NOT NULL,
	until INTEGER NOT NULL,
	PRIMARY KEY (workspace_id, run_id, step_id),
	FOREIGN KEY(workspace_id, run_id) REFERENCES runs (workspace_id, id) ON DELETE CASCADE
)
 STRICT;
CREATE TABLE proposals (
	workspace_id TEXT NOT NULL,
	number INTEGER NOT NULL,
	deed TEXT NOT NULL,
	state TEXT NOT NULL,
	job_id TEXT,
	actor TEXT NOT NULL,
	title TEXT NOT NULL,
	why TEXT NOT NULL,
	path TEXT,
	"before" TEXT,
	"after" TEXT,
	hash TEXT,
	detail TEXT NOT NULL,
	asked_at INTEGER NOT NULL,
	expires_at INTEGER,
	decided_at INTEGER,
	decided_by TEXT,
	answer TEXT,
	result TEXT NOT NULL,
	PRIMARY KEY (workspace_id, number)
)
 STRICT;
CREATE INDEX proposals_pending ON proposals (workspace_id, number) WHERE state IN ('open', 'applying');
CREATE INDEX proposals_by_time ON proposals (workspace_id, asked_at);
CREATE INDEX proposals_of_job ON proposals (workspace_id, job_id, number);
CREATE TABLE agent_tokens (
	workspace_id TEXT NOT NULL,
	name TEXT NOT NULL,
	digest TEXT NOT NULL,
	agent TEXT NOT NULL,
	scopes TEXT NOT NULL,
	created_at INTEGER NOT NULL,
	expires_at INTEGER,
	used_at INTEGER,
	PRIMARY KEY (workspace_id, name)
)
 STRICT;
INSERT INTO "alembic_version" VALUES('0005');
