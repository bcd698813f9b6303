BEGIN TRANSACTION;
CREATE TABLE access_tokens (
	name VARCHAR(64) NOT NULL, 
	sha256 VARCHAR(64) NOT NULL, 
	created VARCHAR(32) NOT NULL, 
	revoked VARCHAR(32), 
	CONSTRAINT pk_access_tokens PRIMARY KEY (name), 
	CONSTRAINT uq_access_tokens_sha256 UNIQUE (sha256)
);
INSERT INTO "access_tokens" VALUES('ci','dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd','2026-11-25T20:30:00.000000+00:00',NULL);
CREATE TABLE artifacts (
	sha256 VARCHAR(64) NOT NULL, 
	size BIGINT NOT NULL, 
	kind TEXT NOT NULL, 
	created VARCHAR(32) NOT NULL, 
	CONSTRAINT pk_artifacts PRIMARY KEY (sha256)
);
INSERT INTO "artifacts" VALUES('50e721e49c013f00c62cf59f2163542a9d8df02464efeb615d31051b0fddc326',1,'weights','2026-11-21T07:06:17.392645+00:00');
CREATE TABLE autoprune_revision (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT autoprune_revision_pkc PRIMARY KEY (version_num)
);
INSERT INTO "autoprune_revision" VALUES('0004');
CREATE TABLE calibrations (
	id INTEGER NOT NULL, 
	hash VARCHAR(64) NOT NULL, 
	table_hash VARCHAR(64) NOT NULL, 
	network TEXT NOT NULL, 
	document JSON NOT NULL, 
	created VARCHAR(32) NOT NULL, 
	CONSTRAINT pk_calibrations PRIMARY KEY (id), 
	CONSTRAINT fk_calibrations_table_hash_tables FOREIGN KEY(table_hash) REFERENCES tables (hash), 
	CONSTRAINT uq_calibrations_hash UNIQUE (hash)
);
INSERT INTO "calibrations" VALUES(1,'c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1','abababababababababababababababababababababababababababababababab','resnet','{"a":1.1}','2026-11-21T07:06:17.380817+00:00');
CREATE TABLE checkpoints (
	job_id VARCHAR(32) NOT NULL, 
	tells INTEGER NOT NULL, 
	history TEXT NOT NULL, 
	state TEXT NOT NULL, 
	arrays BLOB NOT NULL, 
	sha256 VARCHAR(64) NOT NULL, 
	CONSTRAINT pk_checkpoints PRIMARY KEY (job_id, tells), 
	CONSTRAINT fk_checkpoints_job_id_jobs FOREIGN KEY(job_id) REFERENCES jobs (id)
);
INSERT INTO "checkpoints" VALUES('5a17b0d3',1,'h','{"x":[-0.0]}',X'006E707A','0554f0307ebdf13f1b6315c97285ef0e934d644362faeee7095ddc8dfe2fee81');
CREATE TABLE evaluations (
	"key" TEXT NOT NULL, 
	created VARCHAR(32) NOT NULL, 
	score BLOB, 
	loss BLOB, 
	accuracy BLOB, 
	seconds BLOB, 
	error TEXT, 
	weights VARCHAR(64), 
	reused BOOLEAN NOT NULL, figure BLOB, 
	CONSTRAINT pk_evaluations PRIMARY KEY ("key")
);
INSERT INTO "evaluations" VALUES('key 0','2026-11-21T07:06:17.316031+00:00',3.00000000000000044408e-01,3.00000000000000044408e-01,0.9,1.5,NULL,'cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc',0,NULL);
INSERT INTO "evaluations" VALUES('key of a task','2026-11-25T23:58:52.309560+00:00',0.25,0.25,NULL,1.5,NULL,NULL,0,3.00000000000000044408e-01);
CREATE TABLE events (
	job_id VARCHAR(32) NOT NULL, 
	sequence INTEGER NOT NULL, 
	kind TEXT NOT NULL, 
	payload JSON NOT NULL, 
	at VARCHAR(32) NOT NULL, 
	CONSTRAINT pk_events PRIMARY KEY (job_id, sequence), 
	CONSTRAINT fk_events_job_id_jobs FOREIGN KEY(job_id) REFERENCES jobs (id)
);
INSERT INTO "events" VALUES('5a17b0d3',1,'told','{"trial":0}','2026-11-21T07:06:17.338418+00:00');
CREATE TABLE finalists (
	job_id VARCHAR(32) NOT NULL, 
	slot INTEGER NOT NULL, 
	origin TEXT NOT NULL, 
	trial INTEGER NOT NULL, 
	widths JSON NOT NULL, 
	predicted JSON NOT NULL, 
	evaluation_key TEXT NOT NULL, 
	measured JSON, 
	score BLOB, 
	loss BLOB, 
	accuracy BLOB, 
	seconds BLOB, 
	error TEXT, 
	weights VARCHAR(64), 
	reused BOOLEAN NOT NULL, figure BLOB, 
	CONSTRAINT pk_finalists PRIMARY KEY (job_id, slot), 
	CONSTRAINT fk_finalists_job_id_trials FOREIGN KEY(job_id, trial) REFERENCES trials (job_id, "index")
);
INSERT INTO "finalists" VALUES('5a17b0d3',0,'race',0,'[8,16]','{}','race key',NULL,NULL,NULL,NULL,NULL,NULL,NULL,0,NULL);
CREATE TABLE job_requests (
	scope VARCHAR(64) NOT NULL, 
	"key" VARCHAR(255) NOT NULL, 
	body_hash VARCHAR(64) NOT NULL, 
	job_id VARCHAR(32) NOT NULL, 
	created VARCHAR(32) NOT NULL, 
	CONSTRAINT pk_job_requests PRIMARY KEY (scope, "key"), 
	CONSTRAINT fk_job_requests_job_id_jobs FOREIGN KEY(job_id) REFERENCES jobs (id)
);
INSERT INTO "job_requests" VALUES('ci','key 1','eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee','144b0238','2026-11-25T20:30:00.000000+00:00');
CREATE TABLE jobs (
	id VARCHAR(32) NOT NULL, 
	what JSON NOT NULL, 
	what_hash VARCHAR(64) NOT NULL, 
	how JSON NOT NULL, 
	environment TEXT NOT NULL, 
	base JSON NOT NULL, 
	results JSON NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	stage VARCHAR(16) NOT NULL, 
	desired_state VARCHAR(16), 
	error TEXT, 
	timing_dependent BOOLEAN NOT NULL, 
	epoch INTEGER NOT NULL, 
	lease_owner TEXT, 
	lease_until BLOB, 
	created VARCHAR(32) NOT NULL, priority INTEGER, 
	CONSTRAINT pk_jobs PRIMARY KEY (id)
);
INSERT INTO "jobs" VALUES('5a17b0d3','{"groups":["g"],"seed":1}','dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd','{"workers":2}','torch','{"score":0.1}','{"note":1}','running','race',NULL,NULL,0,1,'driver',1.79524483729855442041e+09,'2026-11-21T07:06:17.285397+00:00',NULL);
INSERT INTO "jobs" VALUES('144b0238','{"seed":2}','bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb','{"workers":1}','torch 2.13','{"score":0.2}','{}','queued','search',NULL,NULL,0,0,NULL,NULL,'2026-11-25T20:29:46.689768+00:00',7);
CREATE TABLE table_entries (
	context_key TEXT NOT NULL, 
	operator TEXT NOT NULL, 
	entry JSON NOT NULL, 
	created VARCHAR(32) NOT NULL, 
	CONSTRAINT pk_table_entries PRIMARY KEY (context_key, operator)
);
INSERT INTO "table_entries" VALUES('ctx','{"op":"conv"}','{"operator":{"op":"conv"},"sample":1e-05}','2026-11-21T07:06:17.368994+00:00');
CREATE TABLE tables (
	id INTEGER NOT NULL, 
	hash VARCHAR(64) NOT NULL, 
	context_key TEXT NOT NULL, 
	document JSON NOT NULL, 
	created VARCHAR(32) NOT NULL, 
	CONSTRAINT pk_tables PRIMARY KEY (id), 
	CONSTRAINT uq_tables_hash UNIQUE (hash)
);
INSERT INTO "tables" VALUES(1,'abababababababababababababababababababababababababababababababab','ctx','{"n":1}','2026-11-21T07:06:17.372793+00:00');
CREATE TABLE trials (
	job_id VARCHAR(32) NOT NULL, 
	"index" INTEGER NOT NULL, 
	purpose VARCHAR(16) NOT NULL, 
	widths JSON NOT NULL, 
	start_from INTEGER, 
	predicted JSON NOT NULL, 
	evaluation_key TEXT NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	score BLOB, 
	loss BLOB, 
	accuracy BLOB, 
	seconds BLOB, 
	error TEXT, 
	weights VARCHAR(64), 
	reused BOOLEAN NOT NULL, figure BLOB, 
	CONSTRAINT pk_trials PRIMARY KEY (job_id, "index"), 
	CONSTRAINT fk_trials_job_id_jobs FOREIGN KEY(job_id) REFERENCES jobs (id)
);
INSERT INTO "trials" VALUES('5a17b0d3',0,'candidate','[8,16]',NULL,'{"latency_s":0.001}','key 0','told',3.00000000000000044408e-01,3.00000000000000044408e-01,0.9,1.5,NULL,'cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc',0,NULL);
INSERT INTO "trials" VALUES('5a17b0d3',1,'candidate','[8,17]',NULL,'{"latency_s":0.001}','key 1','finished',NULL,NULL,NULL,0.5,'NaN loss',NULL,0,NULL);
INSERT INTO "trials" VALUES('5a17b0d3',2,'candidate','[8,18]',NULL,'{"latency_s":0.001}','key 2','asked',NULL,NULL,NULL,NULL,NULL,NULL,0,NULL);
CREATE INDEX ix_tables_context_key ON tables (context_key);
CREATE INDEX ix_calibrations_table_hash ON calibrations (table_hash);
CREATE INDEX ix_jobs_created ON jobs (created, id);
CREATE INDEX ix_jobs_state ON jobs (state, created, id);
COMMIT;
