-- The database's side of the store. It is run at every start, and changes nothing that is there.
SET client_min_messages = warning;
SELECT pg_advisory_lock(7232166);

CREATE TABLE IF NOT EXISTS chancery (
    t smallint NOT NULL,
    k bytea NOT NULL,
    v bytea NOT NULL,
    PRIMARY KEY (t, k)
);
-- Ciphertext and hashes do not compress, and what does was not worth its time.
-- It is asked first: to alter the table would have whoever starts wait for its readers, and the one who writes wait behind him.
DO $$ BEGIN
    IF (SELECT attstorage FROM pg_attribute WHERE attrelid = 'chancery'::regclass AND attname = 'v') <> 'e' THEN
        ALTER TABLE chancery ALTER COLUMN v SET STORAGE EXTERNAL;
    END IF;
END $$;

-- Who may write: one process, until a time by this machine's clock, under an epoch that only grows. `last` is the number of the
-- newest batch that was written.
CREATE TABLE IF NOT EXISTS chancery_lease (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    epoch bigint NOT NULL DEFAULT 0,
    last bigint NOT NULL DEFAULT 0,
    holder text NOT NULL DEFAULT '',
    until timestamptz NOT NULL DEFAULT '-infinity'
);
INSERT INTO chancery_lease DEFAULT VALUES ON CONFLICT DO NOTHING;

-- Takes the lease, if it is nobody's any more. Gives the new epoch, and the number of the last batch.
CREATE OR REPLACE FUNCTION chancery_lead(who text, seconds double precision)
RETURNS TABLE (new_epoch bigint, last_batch bigint) LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY UPDATE chancery_lease
        SET epoch = epoch + 1, holder = who, until = clock_timestamp() + make_interval(secs => seconds)
        WHERE until < clock_timestamp() OR holder = who
        RETURNING epoch, last;
END $$;

-- Keeps it. Gives the epoch that holds.
CREATE OR REPLACE FUNCTION chancery_renew(own bigint, seconds double precision)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE held bigint;
BEGIN
    UPDATE chancery_lease SET until = clock_timestamp() + make_interval(secs => seconds) WHERE epoch = own;
    SELECT epoch INTO held FROM chancery_lease;
    RETURN held;
END $$;

-- Gives it back, for others to take at once.
CREATE OR REPLACE FUNCTION chancery_resign(own bigint)
RETURNS void LANGUAGE sql AS $$
    UPDATE chancery_lease SET until = '-infinity' WHERE epoch = own
$$;

-- Ends the session whose last batch nobody knows about, and takes a new epoch in place of its own. When this is committed, and
-- replicated, all before it is, and `last` says which batch was the last.
CREATE OR REPLACE FUNCTION chancery_settle(own bigint, process integer)
RETURNS TABLE (new_epoch bigint, last_batch bigint) LANGUAGE plpgsql AS $$
BEGIN
    IF process <> 0 THEN
        -- 10 s; one that is waiting to be replicated ends then, its commit stands.
        PERFORM pg_terminate_backend(pid, 10000) FROM pg_stat_activity
            WHERE pid = process AND application_name = 'chancery' AND pid <> pg_backend_pid();
        IF EXISTS (SELECT 1 FROM pg_stat_activity WHERE pid = process AND application_name = 'chancery'
                   AND pid <> pg_backend_pid()) THEN
            RAISE EXCEPTION 'the session % does not end', process USING ERRCODE = '57014';
        END IF;
    END IF;
    PERFORM pg_advisory_xact_lock(7232165);
    RETURN QUERY UPDATE chancery_lease SET epoch = epoch + 1 WHERE epoch = own RETURNING epoch, last;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'epoch % is over', own USING ERRCODE = 'CH002';
    END IF;
END $$;

-- Writes a batch: all of it or nothing. It is one statement, and so its own transaction.
CREATE OR REPLACE FUNCTION chancery_write(
    own bigint, number bigint, replicated boolean,
    ct smallint[], ck bytea[], cv bytea[], cabsent boolean[],
    pt smallint[], pk bytea[], pv bytea[],
    dt smallint[], dk bytea[]
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    found_value bytea;
    i integer;
BEGIN
    -- One writer at a time: without it, two batches that require one key to be absent could both find it so.
    PERFORM pg_advisory_xact_lock(7232165);
    IF replicated AND (current_setting('synchronous_commit') NOT IN ('on', 'remote_apply')
                       OR current_setting('synchronous_standby_names') = '') THEN
        RAISE EXCEPTION 'commits are not replicated synchronously any more' USING ERRCODE = 'CH003';
    END IF;
    -- Who writes is alive: a commit that takes long to be replicated does not cost the lease.
    UPDATE chancery_lease
        SET last = number, until = greatest(until, clock_timestamp() + interval '5 s')
        WHERE epoch = own;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'epoch % is over', own USING ERRCODE = 'CH002';
    END IF;
    FOR i IN 1 .. cardinality(ct) LOOP
        SELECT v INTO found_value FROM chancery WHERE t = ct[i] AND k = ck[i];
        IF FOUND = cabsent[i] OR found_value <> cv[i] AND NOT cabsent[i] THEN
            RAISE EXCEPTION 'a condition does not hold' USING ERRCODE = 'CH001', DETAIL = i;
        END IF;
    END LOOP;
    FOR i IN 1 .. cardinality(dt) LOOP
        DELETE FROM chancery WHERE t = dt[i] AND k = dk[i];
    END LOOP;
    INSERT INTO chancery SELECT * FROM unnest(pt, pk, pv)
        ON CONFLICT (t, k) DO UPDATE SET v = excluded.v;
END $$;

SELECT pg_advisory_unlock(7232166);
