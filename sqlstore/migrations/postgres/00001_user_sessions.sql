-- +goose Up

-- One row a session: those that go on have no ended_at, the others are history.
CREATE TABLE user_sessions (
    user_id text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    access_jti text COLLATE "C",
    access_issued_at timestamptz(3),
    access_expires_at timestamptz(3),
    access_until timestamptz(3),
    generation bigint NOT NULL,
    serial bigint NOT NULL,
    min_serial bigint NOT NULL,
    moved_at timestamptz(3),
    seen_at timestamptz(3),
    retire_at timestamptz(3),
    late_replays text,
    revoked_tokens text,
    client_type text NOT NULL,
    device_id text COLLATE "C" NOT NULL,
    device_signed boolean NOT NULL,
    device_name text NOT NULL,
    device_type text NOT NULL,
    browser text NOT NULL,
    os text NOT NULL,
    user_agent text NOT NULL,
    ip_address text COLLATE "C" NOT NULL,
    country text NOT NULL,
    location text NOT NULL,
    created_at timestamptz(3),
    last_seen_at timestamptz(3),
    expires_at timestamptz(3),
    refresh_expires_at timestamptz(3),
    absolute_expires_at timestamptz(3),
    due_at timestamptz(3),
    ended_at timestamptz(3),
    end_reason text NOT NULL,
    risk_score integer NOT NULL,
    risk_reasons text,
    auth_time timestamptz(3),
    amr text,
    scopes text,
    roles text,
    claims text,
    PRIMARY KEY (user_id, id)
) WITH (fillfactor = 85);
CREATE INDEX user_sessions_live ON user_sessions (user_id, ended_at);
CREATE INDEX user_sessions_id ON user_sessions (id);
CREATE INDEX user_sessions_created ON user_sessions (user_id, created_at);
CREATE INDEX user_sessions_due ON user_sessions (ended_at, due_at);
CREATE INDEX user_sessions_device ON user_sessions (device_id, created_at);
CREATE INDEX user_sessions_address ON user_sessions (ip_address, created_at);
CREATE INDEX user_sessions_began ON user_sessions (created_at, risk_score);

-- What is known of a user beside sessions and devices, and the version of it all.
CREATE TABLE user_session_ledgers (
    user_id text COLLATE "C" NOT NULL,
    version text COLLATE "C" NOT NULL,
    changed_at timestamptz(3),
    revoked_at timestamptz(3),
    reused_at timestamptz(3),
    sign_ins text,
    networks text,
    keep_until timestamptz(3),
    pending text,
    foreign_tokens text,
    PRIMARY KEY (user_id)
) WITH (fillfactor = 85);
CREATE INDEX user_session_ledgers_keep ON user_session_ledgers (keep_until);

-- The devices on which a user has signed in.
CREATE TABLE user_session_devices (
    user_id text COLLATE "C" NOT NULL,
    position integer NOT NULL,
    device_id text COLLATE "C" NOT NULL,
    device_signed boolean NOT NULL,
    device_name text NOT NULL,
    device_type text NOT NULL,
    client_type text NOT NULL,
    browser text NOT NULL,
    os text NOT NULL,
    ip_address text NOT NULL,
    country text NOT NULL,
    location text NOT NULL,
    first_seen_at timestamptz(3),
    last_seen_at timestamptz(3),
    PRIMARY KEY (user_id, position)
);

-- Where each bucket of the feed ends, and the change that was published last.
CREATE TABLE user_session_buckets (
    bucket integer NOT NULL,
    position bigint NOT NULL,
    change_id text COLLATE "C" NOT NULL,
    before_id text COLLATE "C" NOT NULL,
    epoch_id text COLLATE "C" NOT NULL,
    epoch_at timestamptz(3) NOT NULL,
    PRIMARY KEY (bucket)
);

-- The feed: revocations that may still matter. Each names the change before its own.
CREATE TABLE user_session_feed (
    bucket integer NOT NULL,
    position bigint NOT NULL,
    part integer NOT NULL,
    change_id text COLLATE "C" NOT NULL,
    before_id text COLLATE "C" NOT NULL,
    user_id text COLLATE "C" NOT NULL,
    session_id text COLLATE "C",
    min_serial bigint NOT NULL,
    jti text NOT NULL,
    from_at timestamptz(3),
    until_at timestamptz(3),
    PRIMARY KEY (bucket, position, part)
);
CREATE INDEX user_session_feed_until ON user_session_feed (until_at);

-- Events as they were audited, for as long as the app keeps them.
CREATE TABLE user_session_events (
    happened_at timestamptz(3) NOT NULL,
    id text COLLATE "C" NOT NULL,
    name text NOT NULL,
    user_id text COLLATE "C" NOT NULL,
    session_id text COLLATE "C",
    reason text NOT NULL,
    device_id text NOT NULL,
    ip_address text COLLATE "C" NOT NULL,
    user_agent text NOT NULL,
    token_hash text NOT NULL,
    mode text NOT NULL,
    cause text NOT NULL,
    by_user text COLLATE "C" NOT NULL,
    risk_score integer NOT NULL,
    risk_reasons text,
    not_durable boolean NOT NULL,
    error text NOT NULL,
    PRIMARY KEY (happened_at, id)
);
CREATE INDEX user_session_events_user ON user_session_events (user_id, happened_at);
CREATE INDEX user_session_events_name ON user_session_events (name, happened_at);

-- +goose Down

-- Nothing is dropped: what was kept stands aside, to be dropped by hand.
DROP INDEX user_sessions_live;
DROP INDEX user_sessions_id;
DROP INDEX user_sessions_created;
DROP INDEX user_sessions_due;
DROP INDEX user_sessions_device;
DROP INDEX user_sessions_address;
DROP INDEX user_sessions_began;
DROP INDEX user_session_ledgers_keep;
DROP INDEX user_session_feed_until;
DROP INDEX user_session_events_user;
DROP INDEX user_session_events_name;
ALTER TABLE user_sessions RENAME TO user_sessions_aside;
ALTER TABLE user_session_ledgers RENAME TO user_session_ledgers_aside;
ALTER TABLE user_session_devices RENAME TO user_session_devices_aside;
ALTER TABLE user_session_buckets RENAME TO user_session_buckets_aside;
ALTER TABLE user_session_feed RENAME TO user_session_feed_aside;
ALTER TABLE user_session_events RENAME TO user_session_events_aside;
