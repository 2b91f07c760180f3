BEGIN TRANSACTION;
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
 STRICT

;
INSERT INTO "accounts" VALUES('default','250307-100000-tvh1hp34','plan',1,'plan',1,'builtin','gpt-5',1741341600050000,NULL,10000000,2000,1,0,'job:plan:run:250307-100000-tvh1hp34:turns the job''s budget of a run, 2 turns, is used up');
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
 STRICT

;
INSERT INTO "agent_tokens" VALUES('default','laptop','c0ffeec0ffeec0ffeec0ffeec0ffeec0ffeec0ffeec0ffeec0ffeec0ffee','claude','["look","job_*"]',1741341600050000,1741428000050000,1741341600050000);
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0005');
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
 STRICT

;
INSERT INTO "approvals" VALUES('default','250307-100000-tvh1hp34','draft','prompt','Draft the plan of the week
',1741341600050000,'plan','[]','answered','1. Rest',1741341600050000,'sam',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "approvals" VALUES('default','250307-100100-m5cdhptd','draft','prompt','Draft the plan of the week
',1741341660050000,'plan','[]','open',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
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
 STRICT

;
INSERT INTO "attempts" VALUES('default','250303-090000-9e3pj8xt','run',1,'succeeded',1740992400000000,1740992400750000,0,NULL,NULL,'here I was
','.rota/logs/runs/250303-090000-9e3pj8xt/run.1.log',11,0);
INSERT INTO "attempts" VALUES('default','250304-090000-9nyk7z67','say',1,'succeeded',1741078800000000,1741078800000000,0,NULL,NULL,'Morning, everybody
','.rota/logs/runs/250304-090000-9nyk7z67/say.1.log',19,0);
INSERT INTO "attempts" VALUES('default','250303-090002-0chk3vv7','script',1,'failed',1741078800000000,1741078800000000,NULL,'bad_path','`script:` ''tell.sh'' is not in a script folder (hint: scripts are run from scripts/ or .rota/scripts/ (`scripts: {folders: [...]}` in rota.yaml))','[rota] `script:` ''tell.sh'' is not in a script folder (hint: scripts are run from scripts/ or .rota/scripts/ (`scripts: {folders: [...]}` in rota.yaml))
','.rota/logs/runs/250303-090002-0chk3vv7/script.1.log',145,0);
INSERT INTO "attempts" VALUES('default','250304-090000-kxp9e0qf','run',1,'succeeded',1741078800000000,1741078800000000,0,NULL,NULL,'not now
','.rota/logs/runs/250304-090000-kxp9e0qf/run.1.log',8,0);
INSERT INTO "attempts" VALUES('default','250304-090000-cs656wv4','run',1,'failed',1741078800000000,1741078800000000,3,'exit_nonzero','exit code 3: it broke','it broke
[rota] exit code 3: it broke
','.rota/logs/runs/250304-090000-cs656wv4/run.1.log',31,0);
INSERT INTO "attempts" VALUES('default','250304-090000-9nyk7z67','file',1,'succeeded',1741078800050000,1741078800100000,NULL,NULL,NULL,'[rota] said.md: 18 bytes written
','.rota/logs/runs/250304-090000-9nyk7z67/file.1.log',26,0);
INSERT INTO "attempts" VALUES('default','250304-090000-cs656wv4','run',2,'failed',1741338000000000,1741338000050000,3,'exit_nonzero','exit code 3: it broke','it broke
[rota] exit code 3: it broke
','.rota/logs/runs/250304-090000-cs656wv4/run.2.log',31,0);
INSERT INTO "attempts" VALUES('default','250307-090000-shv7vn8a','say',1,'succeeded',1741338000000000,1741338000000000,0,NULL,NULL,'Morning, everybody
','.rota/logs/runs/250307-090000-shv7vn8a/say.1.log',19,0);
INSERT INTO "attempts" VALUES('default','250307-090000-fjpgtnxw','run',1,'succeeded',1741338000000000,1741338000000000,0,NULL,NULL,'not now
','.rota/logs/runs/250307-090000-fjpgtnxw/run.1.log',8,0);
INSERT INTO "attempts" VALUES('default','250307-090000-shv7vn8a','file',1,'succeeded',1741338000000000,1741338000050000,NULL,NULL,NULL,'[rota] said.md: 18 bytes already there
','.rota/logs/runs/250307-090000-shv7vn8a/file.1.log',32,0);
INSERT INTO "attempts" VALUES('default','250307-100000-tvh1hp34','draft',1,'waiting',1741341600050000,1741341600050000,NULL,'inbox','waits in the inbox for an agent or a person','[rota] runner: inbox
','.rota/logs/runs/250307-100000-tvh1hp34/draft.1.log',14,0);
INSERT INTO "attempts" VALUES('default','250307-100100-a6cfcfz5','say',1,'succeeded',1741341660050000,1741341660050000,0,NULL,NULL,'Good morning, Ana
','.rota/logs/runs/250307-100100-a6cfcfz5/say.1.log',18,0);
INSERT INTO "attempts" VALUES('default','250307-100100-m5cdhptd','draft',1,'waiting',1741341660050000,1741341660050000,NULL,'inbox','waits in the inbox for an agent or a person','[rota] runner: inbox
','.rota/logs/runs/250307-100100-m5cdhptd/draft.1.log',14,0);
INSERT INTO "attempts" VALUES('default','250307-100100-a6cfcfz5','file',1,'succeeded',1741341660050000,1741341660050000,NULL,NULL,NULL,'[rota] said.md: 17 bytes written
','.rota/logs/runs/250307-100100-a6cfcfz5/file.1.log',26,0);
INSERT INTO "attempts" VALUES('default','250307-100100-gnvsvyxb','run',1,'succeeded',1741341660050000,1741341660100000,0,NULL,NULL,'posted
','.rota/logs/runs/250307-100100-gnvsvyxb/run.1.log',7,0);
INSERT INTO "attempts" VALUES('default','250307-100100-rcr76e5z','run',1,'failed',1741341660050000,1741341660050000,3,'exit_nonzero','exit code 3: it broke','it broke
[rota] exit code 3: it broke
','.rota/logs/runs/250307-100100-rcr76e5z/run.1.log',31,0);
INSERT INTO "attempts" VALUES('default','250307-100200-drrzcerz','first',1,'succeeded',1741341720100000,1741341720100000,0,NULL,NULL,'',NULL,0,0);
INSERT INTO "attempts" VALUES('default','250307-100200-drrzcerz','second',1,'running',1741341720100000,NULL,NULL,NULL,NULL,'',NULL,0,0);
CREATE TABLE broken_files (
	workspace_id TEXT NOT NULL, 
	path TEXT NOT NULL, 
	error TEXT NOT NULL, 
	line INTEGER, 
	hint TEXT, 
	seen_at INTEGER NOT NULL, 
	PRIMARY KEY (workspace_id, path)
)
 STRICT

;
INSERT INTO "broken_files" VALUES('default','.rota/jobs/bad.yaml','`schedule`: `61 * * * *`: bad minute `61`',2,'minute takes `*`, lists (1,3), ranges (1-5), steps (*/5) of 0-59',1740992400000000);
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
 STRICT

;
INSERT INTO "card_comments" VALUES('default',2,1,'{"name":"ana","kind":"person"}','She is away.',1741341660050000);
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
 STRICT

;
INSERT INTO "cards" VALUES('default',1,'Attic','inbox','{"name":"ana","kind":"person"}',1741341660050000,1741341660050000,'About *it*.',0,'card','["home"]','2025-04-01',NULL,1,0,'Attic','{}','{}',NULL,NULL);
INSERT INTO "cards" VALUES('default',2,'Call Priya','doing','{"name":"ana","kind":"person"}',1741341660050000,1741341660050000,'About *it*.',0,'card','["home"]','2025-04-01',NULL,2,1,'Call Priya','{}','{}',NULL,NULL);
INSERT INTO "cards" VALUES('default',3,'Old','inbox','{"name":"ana","kind":"person"}',1741341660050000,1741341660050000,'About *it*.',131072,'card','["home"]','2025-04-01',NULL,2,0,'Old','{}','{}',1741341660050000,NULL);
CREATE TABLE cursors (
	workspace_id TEXT NOT NULL, 
	name TEXT NOT NULL, 
	value TEXT NOT NULL, 
	updated_at INTEGER NOT NULL, 
	PRIMARY KEY (workspace_id, name)
)
 STRICT

;
INSERT INTO "cursors" VALUES('default','settings','""',1740992400000000);
INSERT INTO "cursors" VALUES('default','followers','1740992400000000',1740992400000000);
INSERT INTO "cursors" VALUES('default','start_with_daemon','[]',1740992400000000);
INSERT INTO "cursors" VALUES('default','hooks','1740992400000000',1740992400000000);
INSERT INTO "cursors" VALUES('default','jobfiles','{".rota/jobs/bad.yaml": "1795880643959479596-60-2304236", ".rota/jobs/fragile.yaml": "1795880643959542920-130-2304389", ".rota/jobs/inbox.yaml": "1795883563664457015-42-2304422", ".rota/jobs/long.yaml": "1795880643959542920-156-2303525", ".rota/jobs/plan.yaml": "1795880643959542920-140-2303937", ".rota/jobs/resting.yaml": "1795880643959542920-63-2304361", ".rota/jobs/slow-post.yaml": "1795880643959542920-124-2304388", ".rota/jobs/standup.yaml": "1795883564538266125-375-2304387", "": " 0.1.0"}',1741338000050000);
INSERT INTO "cursors" VALUES('default','feed','{"etag": "x", "seen": ["a", "b"]}',1740992400000000);
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
 STRICT

;
INSERT INTO "daemons" VALUES('default','daemon-1',4242,'elsewhere',1740992400000000,1740996000000000,1740996000000000);
INSERT INTO "daemons" VALUES('default','daemon-2',4711,'elsewhere',1741078800000000,1741082400000000,NULL);
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
 STRICT

;
INSERT INTO "deliveries" VALUES('default','d250307-090000-0badc0de','plan','plan','webhook','72d3162e','c0ffee','127.0.0.1','{"content-type":"application/json","authorization":"***"}','{"source":"test"}','{"action": "opened"}',0,20,1741341600050000,0,'250307-100000-tvh1hp34');
CREATE TABLE events (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	workspace_id TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	at INTEGER NOT NULL, 
	job_id TEXT, 
	run_id TEXT, 
	data TEXT NOT NULL
)
 STRICT

;
INSERT INTO "events" VALUES(1,'default','job_added',1740992400000000,'fragile',NULL,'{"path":".rota/jobs/fragile.yaml"}');
INSERT INTO "events" VALUES(2,'default','job_added',1740992400000000,'gone',NULL,'{"path":".rota/jobs/gone.yaml"}');
INSERT INTO "events" VALUES(3,'default','job_added',1740992400000000,'long',NULL,'{"path":".rota/jobs/long.yaml"}');
INSERT INTO "events" VALUES(4,'default','job_added',1740992400000000,'plan',NULL,'{"path":".rota/jobs/plan.yaml"}');
INSERT INTO "events" VALUES(5,'default','job_added',1740992400000000,'resting',NULL,'{"path":".rota/jobs/resting.yaml"}');
INSERT INTO "events" VALUES(6,'default','job_added',1740992400000000,'slow-post',NULL,'{"path":".rota/jobs/slow-post.yaml"}');
INSERT INTO "events" VALUES(7,'default','job_added',1740992400000000,'standup',NULL,'{"path":".rota/jobs/standup.yaml"}');
INSERT INTO "events" VALUES(8,'default','run_queued',1740992400000000,'gone','250303-090000-9e3pj8xt','{"key":"250303-090000-9e3pj8xt"}');
INSERT INTO "events" VALUES(9,'default','job_added',1740992400000000,'inbox',NULL,'{"path":".rota/jobs/inbox.yaml"}');
INSERT INTO "events" VALUES(10,'default','run_succeeded',1740992400750000,'gone','250303-090000-9e3pj8xt','{"reason":"done"}');
INSERT INTO "events" VALUES(11,'default','run_queued',1740992402000000,'inbox','250303-090002-0chk3vv7','{"key":"inbox/letter.md@266b0f87490e1f5d.1795883563664093"}');
INSERT INTO "events" VALUES(12,'default','job_removed',1740992402000000,'gone',NULL,'{}');
INSERT INTO "events" VALUES(13,'default','occurrence_missed',1741078800000000,'fragile',NULL,'{"key":"2025-03-03T15:00:00Z","reason":"superseded"}');
INSERT INTO "events" VALUES(14,'default','occurrence_missed',1741078800000001,'fragile',NULL,'{"key":"2025-03-03T21:00:00Z","reason":"superseded"}');
INSERT INTO "events" VALUES(15,'default','occurrence_missed',1741078800000002,'fragile',NULL,'{"key":"2025-03-04T03:00:00Z","reason":"superseded"}');
INSERT INTO "events" VALUES(16,'default','run_queued',1741078800000003,'fragile','250304-090000-cs656wv4','{"key":"2025-03-04T09:00:00Z"}');
INSERT INTO "events" VALUES(17,'default','occurrence_missed',1741078800000000,'resting',NULL,'{"key":"2025-03-03T21:00:00Z","reason":"superseded"}');
INSERT INTO "events" VALUES(18,'default','run_queued',1741078800000001,'resting','250304-090000-kxp9e0qf','{"key":"2025-03-04T09:00:00Z"}');
INSERT INTO "events" VALUES(19,'default','run_queued',1741078800000000,'standup','250304-090000-9nyk7z67','{"key":"2025-03-04T08:00:00Z"}');
INSERT INTO "events" VALUES(20,'default','run_succeeded',1741078800000000,'resting','250304-090000-kxp9e0qf','{"reason":"done"}');
INSERT INTO "events" VALUES(21,'default','run_failed',1741078800000000,'inbox','250303-090002-0chk3vv7','{"reason":"bad_path"}');
INSERT INTO "events" VALUES(22,'default','run_waiting',1741078800050000,'fragile','250304-090000-cs656wv4','{"reason":"retry"}');
INSERT INTO "events" VALUES(23,'default','run_succeeded',1741078800100000,'standup','250304-090000-9nyk7z67','{"reason":"done"}');
INSERT INTO "events" VALUES(24,'default','message_sent',1741078800100000,'standup','250304-090000-9nyk7z67','{"channel":"command"}');
INSERT INTO "events" VALUES(25,'default','occurrence_missed',1741338000000000,'fragile',NULL,'{"key":"2025-03-04T15:00:00Z","reason":"superseded"}');
INSERT INTO "events" VALUES(26,'default','occurrence_missed',1741338000000001,'fragile',NULL,'{"key":"2025-03-04T21:00:00Z","reason":"superseded"}');
INSERT INTO "events" VALUES(27,'default','occurrence_missed',1741338000000002,'fragile',NULL,'{"key":"2025-03-05T03:00:00Z","reason":"superseded"}');
INSERT INTO "events" VALUES(28,'default','occurrence_missed',1741338000000003,'fragile',NULL,'{"key":"2025-03-05T09:00:00Z","reason":"superseded"}');
INSERT INTO "events" VALUES(29,'default','occurrence_missed',1741338000000004,'fragile',NULL,'{"key":"2025-03-05T15:00:00Z","reason":"superseded"}');
INSERT INTO "events" VALUES(30,'default','occurrence_missed',1741338000000005,'fragile',NULL,'{"key":"2025-03-05T21:00:00Z","reason":"superseded"}');
INSERT INTO "events" VALUES(31,'default','occurrence_missed',1741338000000006,'fragile',NULL,'{"key":"2025-03-06T03:00:00Z","reason":"superseded"}');
INSERT INTO "events" VALUES(32,'default','occurrence_missed',1741338000000007,'fragile',NULL,'{"key":"2025-03-06T09:00:00Z","reason":"superseded"}');
INSERT INTO "events" VALUES(33,'default','occurrence_missed',1741338000000008,'fragile',NULL,'{"key":"2025-03-06T15:00:00Z","reason":"superseded"}');
INSERT INTO "events" VALUES(34,'default','occurrence_missed',1741338000000009,'fragile',NULL,'{"key":"2025-03-06T21:00:00Z","reason":"superseded"}');
INSERT INTO "events" VALUES(35,'default','occurrence_missed',1741338000000010,'fragile',NULL,'{"key":"2025-03-07T03:00:00Z","reason":"superseded"}');
INSERT INTO "events" VALUES(36,'default','occurrence_skipped',1741338000000011,'fragile',NULL,'{"key":"2025-03-07T09:00:00Z","reason":"overlap"}');
INSERT INTO "events" VALUES(37,'default','occurrence_missed',1741338000000000,'resting',NULL,'{"key":"2025-03-04T21:00:00Z","reason":"superseded"}');
INSERT INTO "events" VALUES(38,'default','occurrence_missed',1741338000000001,'resting',NULL,'{"key":"2025-03-05T09:00:00Z","reason":"superseded"}');
INSERT INTO "events" VALUES(39,'default','occurrence_missed',1741338000000002,'resting',NULL,'{"key":"2025-03-05T21:00:00Z","reason":"superseded"}');
INSERT INTO "events" VALUES(40,'default','occurrence_missed',1741338000000003,'resting',NULL,'{"key":"2025-03-06T09:00:00Z","reason":"superseded"}');
INSERT INTO "events" VALUES(41,'default','occurrence_missed',1741338000000004,'resting',NULL,'{"key":"2025-03-06T21:00:00Z","reason":"superseded"}');
INSERT INTO "events" VALUES(42,'default','run_queued',1741338000000005,'resting','250307-090000-fjpgtnxw','{"key":"2025-03-07T09:00:00Z"}');
INSERT INTO "events" VALUES(43,'default','occurrence_missed',1741338000000000,'standup',NULL,'{"key":"2025-03-05T08:00:00Z","reason":"superseded"}');
INSERT INTO "events" VALUES(44,'default','occurrence_missed',1741338000000001,'standup',NULL,'{"key":"2025-03-06T08:00:00Z","reason":"superseded"}');
INSERT INTO "events" VALUES(45,'default','run_queued',1741338000000002,'standup','250307-090000-shv7vn8a','{"key":"2025-03-07T08:00:00Z"}');
INSERT INTO "events" VALUES(46,'default','run_succeeded',1741338000000000,'resting','250307-090000-fjpgtnxw','{"reason":"done"}');
INSERT INTO "events" VALUES(47,'default','run_succeeded',1741338000050000,'standup','250307-090000-shv7vn8a','{"reason":"done"}');
INSERT INTO "events" VALUES(48,'default','run_failed',1741338000050000,'fragile','250304-090000-cs656wv4','{"reason":"exit_nonzero"}');
INSERT INTO "events" VALUES(49,'default','message_sent',1741338000050000,'standup','250307-090000-shv7vn8a','{"channel":"command"}');
INSERT INTO "events" VALUES(50,'default','job_changed',1741338000050000,'standup',NULL,'{"path":".rota/jobs/standup.yaml"}');
INSERT INTO "events" VALUES(51,'default','run_queued',1741338000050000,'resting','250307-090000-hbq5vms5','{"key":"250307-090000-hbq5vms5"}');
INSERT INTO "events" VALUES(52,'default','run_cancelled',1741338000050000,'resting','250307-090000-hbq5vms5','{"reason":"cancelled"}');
INSERT INTO "events" VALUES(53,'default','job_paused',1741338000050000,'resting',NULL,'{"reason":"holidays"}');
INSERT INTO "events" VALUES(54,'default','run_queued',1741341600050000,'plan','250307-100000-tvh1hp34','{"key":"250307-100000-tvh1hp34"}');
INSERT INTO "events" VALUES(55,'default','question_asked',1741341600050000,'plan','250307-100000-tvh1hp34','{"step":"draft"}');
INSERT INTO "events" VALUES(56,'default','run_waiting',1741341600050000,'plan','250307-100000-tvh1hp34','{"reason":"inbox"}');
INSERT INTO "events" VALUES(57,'default','question_answered',1741341600050000,'plan','250307-100000-tvh1hp34','{"step":"draft","by":"sam"}');
INSERT INTO "events" VALUES(58,'default','run_succeeded',1741341600050000,'plan','250307-100000-tvh1hp34','{"reason":"done"}');
INSERT INTO "events" VALUES(59,'default','run_queued',1741341660050000,'standup','250307-100100-a6cfcfz5','{"key":"250307-100100-a6cfcfz5"}');
INSERT INTO "events" VALUES(60,'default','run_queued',1741341660050000,'plan','250307-100100-m5cdhptd','{"key":"250307-100100-m5cdhptd"}');
INSERT INTO "events" VALUES(61,'default','question_asked',1741341660050000,'plan','250307-100100-m5cdhptd','{"step":"draft"}');
INSERT INTO "events" VALUES(62,'default','run_waiting',1741341660050000,'plan','250307-100100-m5cdhptd','{"reason":"inbox"}');
INSERT INTO "events" VALUES(63,'default','run_succeeded',1741341660050000,'standup','250307-100100-a6cfcfz5','{"reason":"done"}');
INSERT INTO "events" VALUES(64,'default','prompt_taken',1741341660050000,'plan','250307-100100-m5cdhptd','{"step":"draft","by":"claude","until":1741345260050000}');
INSERT INTO "events" VALUES(65,'default','card_created',1741341660050000,NULL,NULL,'{"card":"c1","by":"ana","by_kind":"person","column":"inbox"}');
INSERT INTO "events" VALUES(66,'default','card_created',1741341660050000,NULL,NULL,'{"card":"c2","by":"ana","by_kind":"person","column":"inbox"}');
INSERT INTO "events" VALUES(67,'default','card_created',1741341660050000,NULL,NULL,'{"card":"c3","by":"ana","by_kind":"person","column":"inbox"}');
INSERT INTO "events" VALUES(68,'default','card_moved',1741341660050000,'plan','r1','{"card":"c2","by":"claude","by_kind":"agent","from":"inbox","to":"doing"}');
INSERT INTO "events" VALUES(69,'default','card_commented',1741341660050000,NULL,NULL,'{"card":"c2","by":"ana","by_kind":"person","comment":1}');
INSERT INTO "events" VALUES(70,'default','card_archived',1741341660050000,NULL,NULL,'{"card":"c3","by":"ana","by_kind":"person","column":"inbox"}');
INSERT INTO "events" VALUES(71,'default','run_queued',1741341660050000,'fragile','250307-100100-rcr76e5z','{"key":"250307-100100-rcr76e5z"}');
INSERT INTO "events" VALUES(72,'default','run_queued',1741341660050000,'slow-post','250307-100100-gnvsvyxb','{"key":"250307-100100-gnvsvyxb"}');
INSERT INTO "events" VALUES(73,'default','run_waiting',1741341660050000,'fragile','250307-100100-rcr76e5z','{"reason":"retry"}');
INSERT INTO "events" VALUES(74,'default','run_succeeded',1741341660100000,'slow-post','250307-100100-gnvsvyxb','{"reason":"done"}');
INSERT INTO "events" VALUES(75,'default','run_queued',1741341720100000,'long','250307-100200-drrzcerz','{"key":"250307-100200-drrzcerz"}');
INSERT INTO "events" VALUES(76,'default','run_queued',1741341780100000,'standup','250307-100300-wqc5xjv5','{"key":"250307-100300-wqc5xjv5"}');
CREATE TABLE job_definitions (
	workspace_id TEXT NOT NULL, 
	hash TEXT NOT NULL, 
	body TEXT NOT NULL, 
	PRIMARY KEY (workspace_id, hash)
)
 STRICT

;
INSERT INTO "job_definitions" VALUES('default','6b7befceb265aecf','{"id":"fragile","name":"fragile","steps":[{"id":"run","kind":"run","config":{"run":"sh fragile.sh"}}],"triggers":[{"id":"every","kind":"every","text":"every 6h"}],"retry":{"attempts":2,"first":3600.0,"max":3600.0},"on_error":{"notify":false}}');
INSERT INTO "job_definitions" VALUES('default','722c71a2c0d7417f','{"id":"gone","name":"gone","steps":[{"id":"run","kind":"run","config":{"run":"echo here I was"}}]}');
INSERT INTO "job_definitions" VALUES('default','34309fe982d94a1c','{"id":"long","name":"long","steps":[{"id":"first","kind":"run","config":{"run":"echo first >> done.txt"}},{"id":"second","kind":"run","config":{"run":"if [ -e release ]; then echo second >> done.txt; else sleep 300; fi"}}]}');
INSERT INTO "job_definitions" VALUES('default','2ce9a301108e6896','{"id":"plan","name":"plan","steps":[{"id":"draft","kind":"agent","config":{"agent":"Draft the plan of the week","runner":"inbox"},"output":"plan.md"}],"triggers":[{"id":"cron","kind":"cron","text":"0 20 * * 0"}]}');
INSERT INTO "job_definitions" VALUES('default','022c50f8b991bd67','{"id":"resting","name":"resting","steps":[{"id":"run","kind":"run","config":{"run":"echo not now"}}],"triggers":[{"id":"every","kind":"every","text":"every 12h"}]}');
INSERT INTO "job_definitions" VALUES('default','8cca1751d38c48e9','{"id":"slow-post","name":"slow-post","steps":[{"id":"run","kind":"run","config":{"run":"echo posted"}}],"notify":[{"type":"command","message":"From the slow post","config":{"command":"sh post.sh"}}]}');
INSERT INTO "job_definitions" VALUES('default','bb6d6a6d2e1ea3b0','{"id":"standup","name":"standup","steps":[{"id":"say","kind":"run","config":{"run":"echo \"Morning, {{ params.who }}\""}},{"id":"file","kind":"write","config":{"write":"said.md","content":"{{ steps.say.output }}"}}],"triggers":[{"id":"cron","kind":"cron","text":"0 8 * * 1-5"}],"description":"Says the day, each weekday","timezone":"Europe/London","params":[{"name":"who","default":"everybody"}],"notify":[{"type":"command","message":"Standup: {{ steps.say.output }}","config":{"command":"sh tell.sh"}}]}');
INSERT INTO "job_definitions" VALUES('default','5520d5613d9c46a8','{"id":"inbox","name":"inbox","steps":[{"id":"script","kind":"script","config":{"script":"tell.sh"}}],"triggers":[{"id":"files","kind":"files","text":"inbox/*.md","options":{"events":["added","changed"],"overlap":"queue"}}]}');
INSERT INTO "job_definitions" VALUES('default','c63bf61893708170','{"id":"standup","name":"standup","steps":[{"id":"say","kind":"run","config":{"run":"echo \"Good morning, {{ params.who }}\""}},{"id":"file","kind":"write","config":{"write":"said.md","content":"{{ steps.say.output }}"}}],"triggers":[{"id":"cron","kind":"cron","text":"0 8 * * 1-5"}],"description":"Says the day, each weekday","timezone":"Europe/London","params":[{"name":"who","default":"everybody"}],"notify":[{"type":"command","message":"Standup: {{ steps.say.output }}","config":{"command":"sh tell.sh"}}]}');
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
 STRICT

;
INSERT INTO "jobs" VALUES('default','fragile','fragile','6b7befceb265aecf','file','.rota/jobs/fragile.yaml','','every 6h','UTC',1,NULL,NULL,NULL,'[]',1740992400000000,1740992400000000,NULL,NULL,NULL,NULL);
INSERT INTO "jobs" VALUES('default','gone','gone','722c71a2c0d7417f','file','.rota/jobs/gone.yaml','','manual','UTC',1,NULL,NULL,NULL,'[]',1740992400000000,1740992402000000,1740992402000000,NULL,NULL,NULL);
INSERT INTO "jobs" VALUES('default','long','long','34309fe982d94a1c','file','.rota/jobs/long.yaml','','manual','UTC',1,NULL,NULL,NULL,'[]',1740992400000000,1740992400000000,NULL,NULL,NULL,NULL);
INSERT INTO "jobs" VALUES('default','plan','plan','2ce9a301108e6896','file','.rota/jobs/plan.yaml','','0 20 * * 0','UTC',1,NULL,NULL,NULL,'[]',1740992400000000,1740992400000000,NULL,NULL,NULL,NULL);
INSERT INTO "jobs" VALUES('default','resting','resting','022c50f8b991bd67','file','.rota/jobs/resting.yaml','','every 12h','UTC',1,1741338000050000,'holidays',NULL,'[]',1740992400000000,1741338000050000,NULL,NULL,NULL,NULL);
INSERT INTO "jobs" VALUES('default','slow-post','slow-post','8cca1751d38c48e9','file','.rota/jobs/slow-post.yaml','','manual','UTC',1,NULL,NULL,NULL,'[]',1740992400000000,1740992400000000,NULL,NULL,NULL,NULL);
INSERT INTO "jobs" VALUES('default','standup','standup','c63bf61893708170','file','.rota/jobs/standup.yaml','Says the day, each weekday','0 8 * * 1-5','Europe/London',1,NULL,NULL,NULL,'[]',1740992400000000,1741338000050000,NULL,NULL,NULL,NULL);
INSERT INTO "jobs" VALUES('default','inbox','inbox','5520d5613d9c46a8','file','.rota/jobs/inbox.yaml','','files inbox/*.md','UTC',1,NULL,NULL,NULL,'[]',1740992400000000,1740992400000000,NULL,NULL,NULL,NULL);
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
 STRICT

;
INSERT INTO "looks" VALUES('default','inbox','files','files','inbox/*.md','4ab1056070d222b2',0,1740992402000000,1740992402000000,'inbox/letter.md was added',0,NULL,NULL,0,NULL);
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
 STRICT

;
INSERT INTO "occurrences" VALUES('default','gone','manual','250303-090000-9e3pj8xt',1740992400000000,1740992400000000,'ran','manual','started by hand','250303-090000-9e3pj8xt',NULL,1,'{}');
INSERT INTO "occurrences" VALUES('default','inbox','files','inbox/letter.md@266b0f87490e1f5d.1795883563664093',1740992402000000,1740992402000000,'ran','files','inbox/letter.md was added','250303-090002-0chk3vv7',NULL,1,'{}');
INSERT INTO "occurrences" VALUES('default','fragile','every','2025-03-03T15:00:00Z',1741014000000000,1741078800000000,'missed','superseded','a later occurrence was due too, and catch_up is latest, since the clock went 1 day ahead at once (it was set, or the machine slept)',NULL,NULL,1,'{}');
INSERT INTO "occurrences" VALUES('default','fragile','every','2025-03-03T21:00:00Z',1741035600000000,1741078800000001,'missed','superseded','a later occurrence was due too, and catch_up is latest, since the clock went 1 day ahead at once (it was set, or the machine slept)',NULL,NULL,1,'{}');
INSERT INTO "occurrences" VALUES('default','fragile','every','2025-03-04T03:00:00Z',1741057200000000,1741078800000002,'missed','superseded','a later occurrence was due too, and catch_up is latest, since the clock went 1 day ahead at once (it was set, or the machine slept)',NULL,NULL,1,'{}');
INSERT INTO "occurrences" VALUES('default','fragile','every','2025-03-04T09:00:00Z',1741078800000000,1741078800000003,'ran','on_time','started when due','250304-090000-cs656wv4',NULL,1,'{}');
INSERT INTO "occurrences" VALUES('default','resting','every','2025-03-03T21:00:00Z',1741035600000000,1741078800000000,'missed','superseded','a later occurrence was due too, and catch_up is latest, since the clock went 1 day ahead at once (it was set, or the machine slept)',NULL,NULL,1,'{}');
INSERT INTO "occurrences" VALUES('default','resting','every','2025-03-04T09:00:00Z',1741078800000000,1741078800000001,'ran','on_time','started when due','250304-090000-kxp9e0qf',NULL,1,'{}');
INSERT INTO "occurrences" VALUES('default','standup','cron','2025-03-04T08:00:00Z',1741075200000000,1741078800000000,'ran','caught_up','made up for 1 h later, since the clock went 1 day ahead at once (it was set, or the machine slept)','250304-090000-9nyk7z67',NULL,1,'{}');
INSERT INTO "occurrences" VALUES('default','fragile','every','2025-03-04T15:00:00Z',1741100400000000,1741338000000000,'missed','superseded','a later occurrence was due too, and catch_up is latest, since the clock went 2 days ahead at once (it was set, or the machine slept)',NULL,NULL,1,'{}');
INSERT INTO "occurrences" VALUES('default','fragile','every','2025-03-04T21:00:00Z',1741122000000000,1741338000000001,'missed','superseded','a later occurrence was due too, and catch_up is latest, since the clock went 2 days ahead at once (it was set, or the machine slept)',NULL,NULL,1,'{}');
INSERT INTO "occurrences" VALUES('default','fragile','every','2025-03-05T03:00:00Z',1741143600000000,1741338000000002,'missed','superseded','a later occurrence was due too, and catch_up is latest, since the clock went 2 days ahead at once (it was set, or the machine slept)',NULL,NULL,1,'{}');
INSERT INTO "occurrences" VALUES('default','fragile','every','2025-03-05T09:00:00Z',1741165200000000,1741338000000003,'missed','superseded','a later occurrence was due too, and catch_up is latest, since the clock went 2 days ahead at once (it was set, or the machine slept)',NULL,NULL,1,'{}');
INSERT INTO "occurrences" VALUES('default','fragile','every','2025-03-05T15:00:00Z',1741186800000000,1741338000000004,'missed','superseded','a later occurrence was due too, and catch_up is latest, since the clock went 2 days ahead at once (it was set, or the machine slept)',NULL,NULL,1,'{}');
INSERT INTO "occurrences" VALUES('default','fragile','every','2025-03-05T21:00:00Z',1741208400000000,1741338000000005,'missed','superseded','a later occurrence was due too, and catch_up is latest, since the clock went 2 days ahead at once (it was set, or the machine slept)',NULL,NULL,1,'{}');
INSERT INTO "occurrences" VALUES('default','fragile','every','2025-03-06T03:00:00Z',1741230000000000,1741338000000006,'missed','superseded','a later occurrence was due too, and catch_up is latest, since the clock went 2 days ahead at once (it was set, or the machine slept)',NULL,NULL,1,'{}');
INSERT INTO "occurrences" VALUES('default','fragile','every','2025-03-06T09:00:00Z',1741251600000000,1741338000000007,'missed','superseded','a later occurrence was due too, and catch_up is latest, since the clock went 2 days ahead at once (it was set, or the machine slept)',NULL,NULL,1,'{}');
INSERT INTO "occurrences" VALUES('default','fragile','every','2025-03-06T15:00:00Z',1741273200000000,1741338000000008,'missed','superseded','a later occurrence was due too, and catch_up is latest, since the clock went 2 days ahead at once (it was set, or the machine slept)',NULL,NULL,1,'{}');
INSERT INTO "occurrences" VALUES('default','fragile','every','2025-03-06T21:00:00Z',1741294800000000,1741338000000009,'missed','superseded','a later occurrence was due too, and catch_up is latest, since the clock went 2 days ahead at once (it was set, or the machine slept)',NULL,NULL,1,'{}');
INSERT INTO "occurrences" VALUES('default','fragile','every','2025-03-07T03:00:00Z',1741316400000000,1741338000000010,'missed','superseded','a later occurrence was due too, and catch_up is latest, since the clock went 2 days ahead at once (it was set, or the machine slept)',NULL,NULL,1,'{}');
INSERT INTO "occurrences" VALUES('default','fragile','every','2025-03-07T09:00:00Z',1741338000000000,1741338000000011,'skipped','overlap','run 250304-090000-cs656wv4 was still waiting (step `run` is tried again (attempt 1 failed: exit code 3: it broke)), and overlap is skip',NULL,NULL,1,'{}');
INSERT INTO "occurrences" VALUES('default','resting','every','2025-03-04T21:00:00Z',1741122000000000,1741338000000000,'missed','superseded','a later occurrence was due too, and catch_up is latest, since the clock went 2 days ahead at once (it was set, or the machine slept)',NULL,NULL,1,'{}');
INSERT INTO "occurrences" VALUES('default','resting','every','2025-03-05T09:00:00Z',1741165200000000,1741338000000001,'missed','superseded','a later occurrence was due too, and catch_up is latest, since the clock went 2 days ahead at once (it was set, or the machine slept)',NULL,NULL,1,'{}');
INSERT INTO "occurrences" VALUES('default','resting','every','2025-03-05T21:00:00Z',1741208400000000,1741338000000002,'missed','superseded','a later occurrence was due too, and catch_up is latest, since the clock went 2 days ahead at once (it was set, or the machine slept)',NULL,NULL,1,'{}');
INSERT INTO "occurrences" VALUES('default','resting','every','2025-03-06T09:00:00Z',1741251600000000,1741338000000003,'missed','superseded','a later occurrence was due too, and catch_up is latest, since the clock went 2 days ahead at once (it was set, or the machine slept)',NULL,NULL,1,'{}');
INSERT INTO "occurrences" VALUES('default','resting','every','2025-03-06T21:00:00Z',1741294800000000,1741338000000004,'missed','superseded','a later occurrence was due too, and catch_up is latest, since the clock went 2 days ahead at once (it was set, or the machine slept)',NULL,NULL,1,'{}');
INSERT INTO "occurrences" VALUES('default','resting','every','2025-03-07T09:00:00Z',1741338000000000,1741338000000005,'ran','on_time','started when due','250307-090000-fjpgtnxw',NULL,1,'{}');
INSERT INTO "occurrences" VALUES('default','standup','cron','2025-03-05T08:00:00Z',1741161600000000,1741338000000000,'missed','superseded','a later occurrence was due too, and catch_up is latest, since the clock went 2 days ahead at once (it was set, or the machine slept)',NULL,NULL,1,'{}');
INSERT INTO "occurrences" VALUES('default','standup','cron','2025-03-06T08:00:00Z',1741248000000000,1741338000000001,'missed','superseded','a later occurrence was due too, and catch_up is latest, since the clock went 2 days ahead at once (it was set, or the machine slept)',NULL,NULL,1,'{}');
INSERT INTO "occurrences" VALUES('default','standup','cron','2025-03-07T08:00:00Z',1741334400000000,1741338000000002,'ran','caught_up','made up for 1 h later, since the clock went 2 days ahead at once (it was set, or the machine slept)','250307-090000-shv7vn8a',NULL,1,'{}');
INSERT INTO "occurrences" VALUES('default','resting','manual','250307-090000-hbq5vms5',1741338000050000,1741338000050000,'skipped','cancelled','its run was cancelled before it started (cancelled by hand)','250307-090000-hbq5vms5',NULL,1,'{}');
INSERT INTO "occurrences" VALUES('default','plan','manual','250307-100000-tvh1hp34',1741341600050000,1741341600050000,'ran','manual','started by hand','250307-100000-tvh1hp34',NULL,1,'{}');
INSERT INTO "occurrences" VALUES('default','standup','manual','250307-100100-a6cfcfz5',1741341660050000,1741341660050000,'ran','manual','started by hand','250307-100100-a6cfcfz5',NULL,1,'{}');
INSERT INTO "occurrences" VALUES('default','plan','manual','250307-100100-m5cdhptd',1741341660050000,1741341660050000,'ran','manual','started by hand','250307-100100-m5cdhptd',NULL,1,'{}');
INSERT INTO "occurrences" VALUES('default','fragile','manual','250307-100100-rcr76e5z',1741341660050000,1741341660050000,'ran','manual','started by hand','250307-100100-rcr76e5z',NULL,1,'{}');
INSERT INTO "occurrences" VALUES('default','slow-post','manual','250307-100100-gnvsvyxb',1741341660050000,1741341660050000,'ran','manual','started by hand','250307-100100-gnvsvyxb',NULL,1,'{}');
INSERT INTO "occurrences" VALUES('default','long','manual','250307-100200-drrzcerz',1741341720100000,1741341720100000,'ran','manual','started by hand','250307-100200-drrzcerz',NULL,1,'{}');
INSERT INTO "occurrences" VALUES('default','standup','manual','250307-100300-wqc5xjv5',1741341780100000,1741341780100000,'ran','manual','started by hand','250307-100300-wqc5xjv5',NULL,1,'{}');
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
 STRICT

;
INSERT INTO "outbox" VALUES('default','250304-090000-9nyk7z67:succeeded:0','command','Standup: Morning, everybody',1741078800100000,'standup','{"command":"sh tell.sh"}','standup','250304-090000-9nyk7z67','sent',1,1741078800100000,1741078800100000,1741078800100000,NULL);
INSERT INTO "outbox" VALUES('default','250307-090000-shv7vn8a:succeeded:0','command','Standup: Morning, everybody',1741338000050000,'standup','{"command":"sh tell.sh"}','standup','250307-090000-shv7vn8a','sent',1,1741338000050000,1741338000050000,1741338000050000,NULL);
INSERT INTO "outbox" VALUES('default','250307-100100-a6cfcfz5:succeeded:0','command','Standup: Good morning, Ana',1741341660050000,'standup','{"command":"sh tell.sh"}','standup','250307-100100-a6cfcfz5','pending',1,1741341697593283,1741341660050000,NULL,'the command `sh` exited with 1: nobody there');
INSERT INTO "outbox" VALUES('default','250307-100100-gnvsvyxb:succeeded:0','command','From the slow post',1741341660100000,'slow-post','{"command":"sh post.sh"}','slow-post','250307-100100-gnvsvyxb','sending',1,1741341660100000,1741341660100000,NULL,NULL);
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
 STRICT

;
INSERT INTO "proposals" VALUES('default',1,'create','open','brief','{"name":"claude","run":"r-1","job":"plan","step":"plan"}','create the job `brief`','Ana asked for it','.rota/jobs/brief.yaml',NULL,'schedule: daily
run: ''true''
','0badc0de','{"fires":[1741428000050000]}',1741341600050000,1742551200050000,NULL,NULL,NULL,'');
INSERT INTO "proposals" VALUES('default',2,'run','applied','plan','{"name":"claude","run":"r-1","job":"plan","step":"plan"}','create the job `brief`','Ana asked for it',NULL,NULL,NULL,'0badc0de','{"fires":[1741428000050000]}',1741341600050000,1742551200050000,1741341600050000,'policy',NULL,'run r-2');
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
 STRICT

;
INSERT INTO "runs" VALUES('default','250303-090000-9e3pj8xt','gone','succeeded','722c71a2c0d7417f',1740992400000000,'manual','250303-090000-9e3pj8xt',1740992400000000,'done','every step is done','{"params":{}}',NULL,0,1,'elsewhere-4711-0badc0de',NULL,NULL,1740992400000000,1740992400750000,0,'{"output": "here I was", "values": {}}');
INSERT INTO "runs" VALUES('default','250303-090002-0chk3vv7','inbox','failed','5520d5613d9c46a8',1740992402000000,'files','inbox/letter.md@266b0f87490e1f5d.1795883563664093',1740992402000000,'bad_path','step `script`: `script:` ''tell.sh'' is not in a script folder (hint: scripts are run from scripts/ or .rota/scripts/ (`scripts: {folders: [...]}` in rota.yaml))','{"params":{},"file":{"path":"inbox/letter.md","name":"letter.md","stem":"letter","suffix":".md","folder":"inbox","event":"added","size":9,"modified":"2026-11-28T16:32:43.664093+00:00","hash":"266b0f87490e1f5d"},"files":[{"path":"inbox/letter.md","name":"letter.md","stem":"letter","suffix":".md","folder":"inbox","event":"added","size":9,"modified":"2026-11-28T16:32:43.664093+00:00","hash":"266b0f87490e1f5d"}]}',NULL,0,1,'elsewhere-4711-0badc0de',NULL,NULL,1741078800000000,1741078800000000,0,'{"output":"","values":{}}');
INSERT INTO "runs" VALUES('default','250304-090000-cs656wv4','fragile','failed','6b7befceb265aecf',1741078800000003,'every','2025-03-04T09:00:00Z',1741078800000000,'exit_nonzero','step `run`: exit code 3: it broke','{"params":{}}',NULL,0,2,'elsewhere-4711-0badc0de',NULL,NULL,1741078800000000,1741338000050000,0,'{"output":"","values":{}}');
INSERT INTO "runs" VALUES('default','250304-090000-kxp9e0qf','resting','succeeded','022c50f8b991bd67',1741078800000001,'every','2025-03-04T09:00:00Z',1741078800000000,'done','every step is done','{"params":{}}',NULL,0,1,'elsewhere-4711-0badc0de',NULL,NULL,1741078800000000,1741078800000000,0,'{"output": "not now", "values": {}}');
INSERT INTO "runs" VALUES('default','250304-090000-9nyk7z67','standup','succeeded','bb6d6a6d2e1ea3b0',1741078800000000,'cron','2025-03-04T08:00:00Z',1741075200000000,'done','every step is done','{"params":{"who":"everybody"}}',NULL,-2001,1,'elsewhere-4711-0badc0de',NULL,NULL,1741078800000000,1741078800100000,0,'{"output":"said.md","values":{"path":"said.md","bytes":18,"changed":true}}');
INSERT INTO "runs" VALUES('default','250307-090000-fjpgtnxw','resting','succeeded','022c50f8b991bd67',1741338000000005,'every','2025-03-07T09:00:00Z',1741338000000000,'done','every step is done','{"params":{}}',NULL,0,1,'elsewhere-4711-0badc0de',NULL,NULL,1741338000000000,1741338000000000,0,'{"output": "not now", "values": {}}');
INSERT INTO "runs" VALUES('default','250307-090000-shv7vn8a','standup','succeeded','bb6d6a6d2e1ea3b0',1741338000000002,'cron','2025-03-07T08:00:00Z',1741334400000000,'done','every step is done','{"params":{"who":"everybody"}}',NULL,-2001,1,'elsewhere-4711-0badc0de',NULL,NULL,1741338000000000,1741338000050000,0,'{"output":"said.md","values":{"path":"said.md","bytes":18,"changed":false}}');
INSERT INTO "runs" VALUES('default','250307-090000-hbq5vms5','resting','cancelled','022c50f8b991bd67',1741338000050000,'manual','250307-090000-hbq5vms5',1741338000050000,'cancelled','cancelled by hand','{"params":{}}',NULL,0,0,NULL,NULL,NULL,NULL,1741338000050000,1,'{"output":"","values":{}}');
INSERT INTO "runs" VALUES('default','250307-100000-tvh1hp34','plan','succeeded','2ce9a301108e6896',1741341600050000,'manual','250307-100000-tvh1hp34',1741341600050000,'done','every step is done','{"params":{}}',NULL,0,2,'elsewhere-4711-0badc0de',NULL,NULL,1741341600050000,1741341600050000,0,'{"output":"1. Rest","values":{"text":"1. Rest","runner":"inbox","by":"sam","data":null}}');
INSERT INTO "runs" VALUES('default','250307-100100-a6cfcfz5','standup','succeeded','c63bf61893708170',1741341660050000,'manual','250307-100100-a6cfcfz5',1741341660050000,'done','every step is done','{"params":{"who":"Ana"}}',NULL,0,1,'elsewhere-4711-0badc0de',NULL,NULL,1741341660050000,1741341660050000,0,'{"output":"said.md","values":{"path":"said.md","bytes":17,"changed":true}}');
INSERT INTO "runs" VALUES('default','250307-100100-m5cdhptd','plan','waiting','2ce9a301108e6896',1741341660050000,'manual','250307-100100-m5cdhptd',1741341660050000,'inbox','step `draft`: waits in the inbox for an agent or a person','{"params":{}}',NULL,0,1,NULL,NULL,NULL,1741341660050000,NULL,0,'{}');
INSERT INTO "runs" VALUES('default','250307-100100-rcr76e5z','fragile','waiting','6b7befceb265aecf',1741341660050000,'manual','250307-100100-rcr76e5z',1741341660050000,'retry','step `run` is tried again (attempt 1 failed: exit code 3: it broke)','{"params":{}}',NULL,0,1,NULL,NULL,1741344665183658,1741341660050000,NULL,0,'{}');
INSERT INTO "runs" VALUES('default','250307-100100-gnvsvyxb','slow-post','succeeded','8cca1751d38c48e9',1741341660050000,'manual','250307-100100-gnvsvyxb',1741341660050000,'done','every step is done','{"params":{}}',NULL,0,1,'elsewhere-4711-0badc0de',NULL,NULL,1741341660050000,1741341660100000,0,'{"output":"posted","values":{}}');
INSERT INTO "runs" VALUES('default','250307-100200-drrzcerz','long','running','34309fe982d94a1c',1741341720100000,'manual','250307-100200-drrzcerz',1741341720100000,'claimed','at work','{"params":{}}',NULL,0,1,'elsewhere-4711-0badc0de',1741341735100000,NULL,1741341720100000,NULL,0,'{}');
INSERT INTO "runs" VALUES('default','250307-100300-wqc5xjv5','standup','queued','c63bf61893708170',1741341780100000,'manual','250307-100300-wqc5xjv5',1741341780100000,'manual','started by hand','{"params":{"who":"everybody"}}',NULL,0,0,NULL,NULL,NULL,NULL,NULL,0,'{}');
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
 STRICT

;
INSERT INTO "seen" VALUES('default','inbox','files','inbox/letter.md','266b0f87490e1f5d 9 1795883563664093 1795883563664093',1740992402000000);
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
 STRICT

;
INSERT INTO "sessions" VALUES('default','run:250307-100000-tvh1hp34:plan','claude','c0ffee','opus','{"usd":0.25}','[["run","git push"]]','[]','[]','You may.',1,1741341600050000,'250307-100000-tvh1hp34');
INSERT INTO "sessions" VALUES('default','name:plans','claude','c0ffee','opus','{"usd":0.25}','[["run","git push"]]','[["run","git push"]]','[["run","git push"]]','You may.',0,1741341600050000,NULL);
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
 STRICT

;
INSERT INTO "spend" VALUES('default','250307-100000-tvh1hp34','plan','resp_1','plan',1,1741341600050000,'builtin','gpt-5',800,120,300,40,2500000,3000000,1,0);
INSERT INTO "spend" VALUES('default','250307-100000-tvh1hp34','plan','resp_2','plan',1,1741341600050000,'builtin','homemade',800,120,300,40,NULL,NULL,1,0);
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
 STRICT

;
INSERT INTO "steps" VALUES('default','250303-090000-9e3pj8xt','run',0,'succeeded',1,1740992400000000,1740992400750000,NULL,NULL,NULL,'here I was','{}');
INSERT INTO "steps" VALUES('default','250304-090000-9nyk7z67','say',0,'succeeded',1,1741078800000000,1741078800000000,NULL,NULL,NULL,'Morning, everybody','{}');
INSERT INTO "steps" VALUES('default','250303-090002-0chk3vv7','script',0,'failed',1,1741078800000000,1741078800000000,NULL,'bad_path','`script:` ''tell.sh'' is not in a script folder (hint: scripts are run from scripts/ or .rota/scripts/ (`scripts: {folders: [...]}` in rota.yaml))','','{}');
INSERT INTO "steps" VALUES('default','250304-090000-kxp9e0qf','run',0,'succeeded',1,1741078800000000,1741078800000000,NULL,NULL,NULL,'not now','{}');
INSERT INTO "steps" VALUES('default','250304-090000-cs656wv4','run',0,'failed',2,1741078800000000,1741338000050000,NULL,'exit_nonzero','exit code 3: it broke','it broke','{}');
INSERT INTO "steps" VALUES('default','250304-090000-9nyk7z67','file',1,'succeeded',1,1741078800050000,1741078800100000,NULL,NULL,NULL,'said.md','{"path":"said.md","bytes":18,"changed":true}');
INSERT INTO "steps" VALUES('default','250307-090000-shv7vn8a','say',0,'succeeded',1,1741338000000000,1741338000000000,NULL,NULL,NULL,'Morning, everybody','{}');
INSERT INTO "steps" VALUES('default','250307-090000-fjpgtnxw','run',0,'succeeded',1,1741338000000000,1741338000000000,NULL,NULL,NULL,'not now','{}');
INSERT INTO "steps" VALUES('default','250307-090000-shv7vn8a','file',1,'succeeded',1,1741338000000000,1741338000050000,NULL,NULL,NULL,'said.md','{"path":"said.md","bytes":18,"changed":false}');
INSERT INTO "steps" VALUES('default','250307-090000-hbq5vms5','run',0,'skipped',0,NULL,1741338000050000,NULL,'cancelled','cancelled by hand','','{}');
INSERT INTO "steps" VALUES('default','250307-100000-tvh1hp34','draft',0,'succeeded',1,1741341600050000,1741341600050000,NULL,'answered','answered by sam','1. Rest','{"text":"1. Rest","runner":"inbox","by":"sam","data":null}');
INSERT INTO "steps" VALUES('default','250307-100100-a6cfcfz5','say',0,'succeeded',1,1741341660050000,1741341660050000,NULL,NULL,NULL,'Good morning, Ana','{}');
INSERT INTO "steps" VALUES('default','250307-100100-m5cdhptd','draft',0,'waiting',1,1741341660050000,NULL,NULL,'inbox','waits in the inbox for an agent or a person','','{}');
INSERT INTO "steps" VALUES('default','250307-100100-a6cfcfz5','file',1,'succeeded',1,1741341660050000,1741341660050000,NULL,NULL,NULL,'said.md','{"path":"said.md","bytes":17,"changed":true}');
INSERT INTO "steps" VALUES('default','250307-100100-gnvsvyxb','run',0,'succeeded',1,1741341660050000,1741341660100000,NULL,NULL,NULL,'posted','{}');
INSERT INTO "steps" VALUES('default','250307-100100-rcr76e5z','run',0,'waiting',1,1741341660050000,NULL,1741344665183658,'exit_nonzero','exit code 3: it broke','it broke','{}');
INSERT INTO "steps" VALUES('default','250307-100200-drrzcerz','first',0,'succeeded',1,1741341720100000,1741341720100000,NULL,NULL,NULL,'','{}');
INSERT INTO "steps" VALUES('default','250307-100200-drrzcerz','second',1,'running',1,1741341720100000,NULL,NULL,NULL,NULL,'','{}');
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
 STRICT

;
INSERT INTO "takes" VALUES('default','250307-100100-m5cdhptd','draft',1741341660050000,'claude',1741341660050000,1741345260050000);
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
 STRICT

;
INSERT INTO "triggers" VALUES('default','fragile','every','every','every 6h','UTC',1740992400000000,1741338000000000,1741359600000000,1);
INSERT INTO "triggers" VALUES('default','plan','cron','cron','0 20 * * 0','UTC',NULL,1740992400000000,1741550400000000,1);
INSERT INTO "triggers" VALUES('default','resting','every','every','every 12h','UTC',1740992400000000,1741338000000000,1741381200000000,0);
INSERT INTO "triggers" VALUES('default','standup','cron','cron','0 8 * * 1-5','Europe/London',NULL,1741338000000000,1741593600000000,1);
CREATE INDEX triggers_due ON triggers (workspace_id, next_due) WHERE active = 1 AND next_due IS NOT NULL;
CREATE INDEX occurrences_by_due ON occurrences (workspace_id, job_id, due_at);
CREATE INDEX occurrences_of_run ON occurrences (workspace_id, run_id) WHERE run_id IS NOT NULL;
CREATE INDEX occurrences_stretches ON occurrences (workspace_id, job_id, until) WHERE until IS NOT NULL;
CREATE INDEX runs_active ON runs (workspace_id, job_id, state) WHERE state IN ('queued', 'running', 'waiting');
CREATE INDEX runs_by_job ON runs (workspace_id, job_id, queued_at, id);
CREATE INDEX runs_by_time ON runs (workspace_id, queued_at, id);
CREATE INDEX runs_queued ON runs (workspace_id, priority DESC, queued_at, id) WHERE state = 'queued';
CREATE INDEX runs_running ON runs (workspace_id, owner) WHERE state = 'running';
CREATE INDEX runs_waiting ON runs (workspace_id, not_before) WHERE state = 'waiting';
CREATE INDEX outbox_by_run ON outbox (workspace_id, run_id, created_at) WHERE run_id IS NOT NULL;
CREATE INDEX outbox_by_time ON outbox (workspace_id, created_at);
CREATE INDEX outbox_pending ON outbox (workspace_id, not_before) WHERE state = 'pending';
CREATE INDEX outbox_sending ON outbox (workspace_id, claimed_at) WHERE state = 'sending';
CREATE INDEX events_by_job ON events (workspace_id, job_id, id) WHERE job_id IS NOT NULL;
CREATE UNIQUE INDEX deliveries_by_key ON deliveries (workspace_id, job_id, trigger_id, "key");
CREATE INDEX deliveries_by_digest ON deliveries (workspace_id, hook, digest);
CREATE INDEX deliveries_by_hook ON deliveries (workspace_id, hook, received_at);
CREATE INDEX deliveries_by_time ON deliveries (workspace_id, received_at);
CREATE INDEX deliveries_of_run ON deliveries (workspace_id, run_id) WHERE run_id IS NOT NULL;
CREATE INDEX deliveries_kept ON deliveries (workspace_id, received_at) WHERE forgotten = 0;
CREATE INDEX approvals_open ON approvals (workspace_id, asked_at) WHERE state = 'open';
CREATE INDEX approvals_expiring ON approvals (workspace_id, expires_at) WHERE state = 'open';
CREATE INDEX sessions_of_run ON sessions (workspace_id, run_id) WHERE run_id IS NOT NULL;
CREATE INDEX sessions_kept ON sessions (workspace_id, updated_at) WHERE run_id IS NULL;
CREATE INDEX spend_by_job ON spend (workspace_id, job_id, at);
CREATE INDEX spend_by_time ON spend (workspace_id, at);
CREATE INDEX accounts_open ON accounts (workspace_id, run_id, step_id, attempt) WHERE closed_at IS NULL;
CREATE INDEX accounts_by_step ON accounts (workspace_id, job_id, step_id, opened_at);
CREATE INDEX cards_open ON cards (workspace_id, lane, position) WHERE archived_at IS NULL;
CREATE INDEX cards_archived ON cards (workspace_id, archived_at) WHERE archived_at IS NOT NULL AND removed_at IS NULL;
CREATE UNIQUE INDEX cards_by_key ON cards (workspace_id, "key") WHERE key IS NOT NULL;
CREATE INDEX proposals_pending ON proposals (workspace_id, number) WHERE state IN ('open', 'applying');
CREATE INDEX proposals_by_time ON proposals (workspace_id, asked_at);
CREATE INDEX proposals_of_job ON proposals (workspace_id, job_id, number);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('events',76);
COMMIT;
