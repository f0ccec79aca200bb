-- +goose Up

-- One row a session: those that go on have no ended_at, the others are history.
CREATE TABLE user_sessions (
    user_id varbinary(255) NOT NULL,
    id char(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    access_jti char(26) CHARACTER SET ascii COLLATE ascii_bin,
    access_issued_at datetime(3),
    access_expires_at datetime(3),
    access_until datetime(3),
    generation bigint NOT NULL,
    serial bigint NOT NULL,
    min_serial bigint NOT NULL,
    moved_at datetime(3),
    seen_at datetime(3),
    retire_at datetime(3),
    late_replays mediumtext,
    revoked_tokens mediumtext,
    client_type varchar(64) NOT NULL,
    device_id varchar(255) NOT NULL,
    device_signed boolean NOT NULL,
    device_name text NOT NULL,
    device_type varchar(64) NOT NULL,
    browser text NOT NULL,
    os text NOT NULL,
    user_agent text NOT NULL,
    ip_address varchar(255) NOT NULL,
    country text NOT NULL,
    location text NOT NULL,
    created_at datetime(3),
    last_seen_at datetime(3),
    expires_at datetime(3),
    refresh_expires_at datetime(3),
    absolute_expires_at datetime(3),
    due_at datetime(3),
    ended_at datetime(3),
    end_reason text NOT NULL,
    risk_score int NOT NULL,
    risk_reasons mediumtext,
    auth_time datetime(3),
    amr mediumtext,
    scopes mediumtext,
    roles mediumtext,
    claims mediumtext,
    PRIMARY KEY (user_id, id)
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
CREATE INDEX user_sessions_live ON user_sessions (user_id, ended_at);
CREATE INDEX user_sessions_id ON user_sessions (id);
CREATE INDEX user_sessions_created ON user_sessions (user_id, created_at);
CREATE INDEX user_sessions_due ON user_sessions (ended_at, due_at);
CREATE INDEX user_sessions_device ON user_sessions (device_id, created_at);
CREATE INDEX user_sessions_address ON user_sessions (ip_address, created_at);
CREATE INDEX user_sessions_began ON user_sessions (created_at, risk_score);

-- What is known of a user beside sessions and devices, and the version of it all.
CREATE TABLE user_session_ledgers (
    user_id varbinary(255) NOT NULL,
    version char(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    changed_at datetime(3),
    revoked_at datetime(3),
    reused_at datetime(3),
    sign_ins mediumtext,
    networks mediumtext,
    keep_until datetime(3),
    pending mediumtext,
    foreign_tokens mediumtext,
    PRIMARY KEY (user_id)
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
CREATE INDEX user_session_ledgers_keep ON user_session_ledgers (keep_until);

-- The devices on which a user has signed in.
CREATE TABLE user_session_devices (
    user_id varbinary(255) NOT NULL,
    position int NOT NULL,
    device_id varchar(255) NOT NULL,
    device_signed boolean NOT NULL,
    device_name text NOT NULL,
    device_type varchar(64) NOT NULL,
    client_type varchar(64) NOT NULL,
    browser text NOT NULL,
    os text NOT NULL,
    ip_address varchar(255) NOT NULL,
    country text NOT NULL,
    location text NOT NULL,
    first_seen_at datetime(3),
    last_seen_at datetime(3),
    PRIMARY KEY (user_id, position)
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- Where each bucket of the feed ends, and the change that was published last.
CREATE TABLE user_session_buckets (
    bucket int NOT NULL,
    position bigint NOT NULL,
    change_id char(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    before_id char(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    epoch_id char(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    epoch_at datetime(3) NOT NULL,
    PRIMARY KEY (bucket)
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- The feed: revocations that may still matter. Each names the change before its own.
CREATE TABLE user_session_feed (
    bucket int NOT NULL,
    position bigint NOT NULL,
    part int NOT NULL,
    change_id char(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    before_id char(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    user_id varbinary(255) NOT NULL,
    session_id char(26) CHARACTER SET ascii COLLATE ascii_bin,
    min_serial bigint NOT NULL,
    jti text NOT NULL,
    from_at datetime(3),
    until_at datetime(3),
    PRIMARY KEY (bucket, position, part)
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
CREATE INDEX user_session_feed_until ON user_session_feed (until_at);

-- Events as they were audited, for as long as the app keeps them.
CREATE TABLE user_session_events (
    happened_at datetime(3) NOT NULL,
    id char(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    name varchar(64) NOT NULL,
    user_id varbinary(255) NOT NULL,
    session_id char(26) CHARACTER SET ascii COLLATE ascii_bin,
    reason text NOT NULL,
    device_id varchar(255) NOT NULL,
    ip_address varchar(255) NOT NULL,
    user_agent text NOT NULL,
    token_hash varchar(64) NOT NULL,
    mode varchar(64) NOT NULL,
    cause varchar(64) NOT NULL,
    by_user varbinary(255) NOT NULL,
    risk_score int NOT NULL,
    risk_reasons mediumtext,
    not_durable boolean NOT NULL,
    error text NOT NULL,
    PRIMARY KEY (happened_at, id)
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
CREATE INDEX user_session_events_user ON user_session_events (user_id, happened_at);
CREATE INDEX user_session_events_name ON user_session_events (name, happened_at);

-- +goose Down

-- Nothing is dropped: what was kept stands aside, to be dropped by hand. One statement
-- renames all or nothing, and indexes go along.
RENAME TABLE
    user_sessions TO user_sessions_aside,
    user_session_ledgers TO user_session_ledgers_aside,
    user_session_devices TO user_session_devices_aside,
    user_session_buckets TO user_session_buckets_aside,
    user_session_feed TO user_session_feed_aside,
    user_session_events TO user_session_events_aside;
