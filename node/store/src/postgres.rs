//! PostgreSQL behind the trait, for agencies that outgrow one machine. Nothing else in Chancery names it.
//!
//! All tables are rows of one: table number, key, value. A batch is one call of a function of the database (`postgres/setup.sql`): one
//! round trip, one flush. One process at a time holds the *lease* to write, with an epoch that every batch must name, so that
//! who has lost it writes nothing more, whatever he believes. What a batch rests on is checked where it is written, under
//! one lock.
//!
//! *Unknown outcomes.* When a connection ends while a batch is being committed, nobody can say whether it was. Then the old
//! session is ended, a new epoch is taken by a commit of its own (which is replicated, and with it all before it), and only
//! then it is read which batch was the last: see [`Writer::settle`].

mod tls;

use std::{
    collections::BTreeMap,
    future::poll_fn,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::sync_channel,
    },
    time::Duration,
};

use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    runtime::{Builder, Runtime},
    sync::watch,
    time::{sleep, timeout},
};
use tokio_postgres::{
    AsyncMessage, Client, Config, Connection, Error, NoTls, Statement,
    error::{Severity, SqlState},
    types::ToSql,
};

use self::tls::Tls;
use crate::{
    Batch, Change, Condition, Entry, Maintenance, Read, SCHEMA, Store, StoreError, StoreSettings,
    Table, begin, schema,
};

/// The database's side.
const SETUP: &str = include_str!("postgres/setup.sql");
/// Connections that read at once.
const READERS: usize = 16;
/// How long connecting, or one read, may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a lease lasts that is not renewed. The database says so, by its clock.
const LEASE_SECONDS: f64 = 5.0;
/// Between two renewals, and between two looks of who waits for it.
const RENEW: Duration = Duration::from_millis(1000);
const LOOK: Duration = Duration::from_millis(250);
/// Between two attempts at settling an outcome that is not known.
const SETTLE_AGAIN: Duration = Duration::from_millis(500);
/// What the planner must not do: the one table is large, and every question goes by its key.
const OPTIONS: &str = "-c enable_seqscan=off -c enable_bitmapscan=off -c enable_hashjoin=off -c jit=off \
                       -c plan_cache_mode=force_generic_plan -c bytea_output=hex -c TimeZone=UTC";

/// What the database's function raises (`postgres/setup.sql`).
const CONFLICT: &str = "CH001";
const FENCED: &str = "CH002";
const UNREPLICATED: &str = "CH003";

/// A store in a PostgreSQL database.
#[derive(Debug)]
pub(crate) struct PostgresStore {
    shared: Arc<Shared>,
}

struct Shared {
    runtime: Option<Runtime>,
    config: Config,
    tls: Option<Tls>,
    pool: Pool,
    /// The one connection that writes, one batch at a time.
    writer: tokio::sync::Mutex<Writer>,
    /// Why nothing can be written any more.
    lost: watch::Sender<Option<String>>,
    closed: AtomicBool,
    changed: watch::Sender<u64>,
    replicated: bool,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PostgreSQL {:?}", self.config.get_hosts())
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // Dropping a runtime waits for its threads, which an async worker must not do.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// The connection that writes.
#[derive(Default)]
struct Writer {
    session: Option<Session>,
    /// The epoch of the lease, once it is held.
    epoch: Option<i64>,
    /// The number of the last batch that was sent under it.
    number: i64,
}

struct Session {
    client: Client,
    write: Statement,
    /// The process at the server.
    process: i32,
    /// Whether the server has warned of something: that a commit was answered before it was replicated, most likely.
    warned: Arc<AtomicBool>,
}

/// Tells what passes from what does not.
fn failed(error: &Error) -> StoreError {
    let Some(database) = error.as_db_error() else {
        return StoreError::Away(error.to_string());
    };
    let (code, text) = (database.code(), database.message().to_owned());
    match code.code() {
        FENCED => StoreError::Fenced(text),
        UNREPLICATED => StoreError::Away(text),
        _ if *code == SqlState::DISK_FULL => StoreError::Full(text),
        // Connections, shutdowns and recovery; serialization and deadlocks; resources; a server that was demoted.
        code if ["08", "40", "53", "57"].iter().any(|class| code.starts_with(class)) => {
            StoreError::Away(text)
        }
        "25006" => StoreError::Away(text),
        code => StoreError::Broken(format!("{text} (SQLSTATE {code})")),
    }
}

fn late(what: &str) -> StoreError {
    StoreError::Away(format!("{what} took longer than {} s", PATIENCE.as_secs()))
}

/// Carries a connection's messages, until it ends.
async fn carry<S, T>(mut connection: Connection<S, T>, warned: Arc<AtomicBool>)
where
    S: AsyncRead + AsyncWrite + Unpin,
    T: AsyncRead + AsyncWrite + Unpin,
{
    while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
        if let AsyncMessage::Notice(notice) = message {
            tracing::warn!(notice = notice.message(), "the database says");
            warned.store(true, Ordering::Relaxed);
        }
    }
}

impl Shared {
    /// Runs something on the database's own threads, and waits for it on the thread at hand.
    fn wait<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Result<T, StoreError> {
        let gone = || StoreError::Broken("the database's threads have ended".into());
        let runtime = self.runtime.as_ref().ok_or_else(gone)?;
        let (done, result) = sync_channel(1);
        runtime.spawn(async move {
            // It fails only when nobody waits any more.
            drop(done.send(work.await));
        });
        result.recv().map_err(|_| gone())?
    }

    /// A connection of its own.
    async fn connect(&self) -> Result<Client, StoreError> {
        self.connect_and(Arc::default()).await
    }

    /// A connection of its own, which notes that the server has warned of something.
    async fn connect_and(&self, warned: Arc<AtomicBool>) -> Result<Client, StoreError> {
        let connected = async {
            match &self.tls {
                Some(tls) => {
                    let (client, connection) = self.config.connect(tls.clone()).await?;
                    tokio::spawn(carry(connection, warned));
                    Ok(client)
                }
                None => {
                    let (client, connection) = self.config.connect(NoTls).await?;
                    tokio::spawn(carry(connection, warned));
                    Ok(client)
                }
            }
        };
        let connected = timeout(PATIENCE, connected).await.map_err(|_| late("connecting"))?;
        connected.map_err(|error: Error| failed(&error))
    }

    /// Opens the connection that writes.
    async fn session(&self) -> Result<Session, StoreError> {
        let warned = Arc::new(AtomicBool::new(false));
        let client = self.connect_and(warned.clone()).await?;
        let opened = async {
            let write = client.prepare(
                "SELECT chancery_write($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
            );
            let write = write.await?;
            let process = client.query_one("SELECT pg_backend_pid()", &[]).await?.get(0);
            Ok((write, process))
        };
        let (write, process) = opened.await.map_err(|error: Error| failed(&error))?;
        Ok(Session { client, write, process, warned })
    }

    /// Asks something, once more over another connection when the first was lost: nothing is changed by asking.
    async fn ask(
        &self,
        statement: &'static str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<tokio_postgres::Row>, StoreError> {
        let mut last = None;
        for _ in 0..2 {
            let asked = async {
                let client = self.pool.get().await.map_err(|e| StoreError::Away(e.to_string()))?;
                let prepared = client.prepare_cached(statement).await;
                let prepared = prepared.map_err(|error| failed(&error))?;
                client.query(&prepared, parameters).await.map_err(|error| failed(&error))
            };
            match timeout(PATIENCE, asked).await.unwrap_or_else(|_| Err(late("a read"))) {
                Err(StoreError::Away(why)) => last = Some(StoreError::Away(why)),
                other => return other,
            }
        }
        Err(last.unwrap_or_else(|| late("a read")))
    }
}

/// Reads over the pool, or of a snapshot's own connection.
#[derive(Debug)]
enum Reader {
    Now(Arc<Shared>),
    Then(Arc<Shared>, Arc<Client>),
}

impl Reader {
    fn ask(
        &self,
        statement: &'static str,
        parameters: Vec<Box<dyn ToSql + Sync + Send>>,
    ) -> Result<Vec<tokio_postgres::Row>, StoreError> {
        fn borrowed(parameters: &[Box<dyn ToSql + Sync + Send>]) -> Vec<&(dyn ToSql + Sync)> {
            parameters.iter().map(|one| &**one as &(dyn ToSql + Sync)).collect()
        }
        match self {
            Self::Now(shared) => {
                let work = shared.clone();
                shared.wait(async move { work.ask(statement, &borrowed(&parameters)).await })
            }
            Self::Then(shared, client) => {
                let client = client.clone();
                shared.wait(async move {
                    let asked = client.query(statement, &borrowed(&parameters)).await;
                    asked.map_err(|error| failed(&error))
                })
            }
        }
    }
}

/// The least key above all that have a prefix; none when there is none.
fn above(prefix: &[u8]) -> Option<Vec<u8>> {
    let end = prefix.iter().rposition(|byte| *byte != 0xff)?;
    let mut above = prefix.get(..=end)?.to_vec();
    if let Some(last) = above.last_mut() {
        *last += 1;
    }
    Some(above)
}

fn most(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

fn entries(rows: &[tokio_postgres::Row]) -> Vec<Entry> {
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

impl Read for Reader {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let statement = "SELECT v FROM chancery WHERE t = $1 AND k = $2";
        let rows = self.ask(statement, vec![Box::new(table.number()), Box::new(key.to_vec())])?;
        Ok(rows.first().map(|row| row.get(0)))
    }

    fn get_many(&self, table: Table, keys: &[Vec<u8>]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        let statement = "SELECT (SELECT v FROM chancery WHERE t = $1 AND chancery.k = u.k) \
                         FROM unnest($2::bytea[]) WITH ORDINALITY AS u(k, place) ORDER BY place";
        let rows = self.ask(statement, vec![Box::new(table.number()), Box::new(keys.to_vec())])?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }

    fn scan(
        &self,
        table: Table,
        from: &[u8],
        prefix: &[u8],
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        let (number, from, limit) = (table.number(), from.to_vec(), most(limit));
        let rows = match above(prefix) {
            Some(above) => self.ask(
                "SELECT k, v FROM chancery WHERE t = $1 AND k >= $2 AND k < $3 ORDER BY t, k LIMIT $4",
                vec![Box::new(number), Box::new(from), Box::new(above), Box::new(limit)],
            )?,
            None => self.ask(
                "SELECT k, v FROM chancery WHERE t = $1 AND k >= $2 ORDER BY t, k LIMIT $3",
                vec![Box::new(number), Box::new(from), Box::new(limit)],
            )?,
        };
        // Keys of 0xff alone have nothing above them that could be said.
        let mut found = entries(&rows);
        let own = found.iter().take_while(|(key, _)| key.starts_with(prefix)).count();
        found.truncate(own);
        Ok(found)
    }

    fn scan_back(
        &self,
        table: Table,
        prefix: &[u8],
        before: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        let (number, prefix, limit) = (table.number(), prefix.to_vec(), most(limit));
        let end = [before.map(<[u8]>::to_vec), above(&prefix)].into_iter().flatten().min();
        let rows = match end {
            Some(end) => self.ask(
                "SELECT k, v FROM chancery WHERE t = $1 AND k >= $2 AND k < $3 \
                 ORDER BY t DESC, k DESC LIMIT $4",
                vec![Box::new(number), Box::new(prefix), Box::new(end), Box::new(limit)],
            )?,
            None => self.ask(
                "SELECT k, v FROM chancery WHERE t = $1 AND k >= $2 ORDER BY t DESC, k DESC LIMIT $3",
                vec![Box::new(number), Box::new(prefix), Box::new(limit)],
            )?,
        };
        Ok(entries(&rows))
    }
}

/// Rows as the database's function takes them: column by column.
#[derive(Default)]
struct Columns {
    tables: Vec<i16>,
    keys: Vec<Vec<u8>>,
    values: Vec<Vec<u8>>,
}

impl Columns {
    fn push(&mut self, table: i16, key: Vec<u8>, value: Option<Vec<u8>>) {
        self.tables.push(table);
        self.keys.push(key);
        self.values.push(value.unwrap_or_default());
    }
}

/// A batch as the database's function takes it: of several changes of one key the last counts.
#[derive(Default)]
struct Write {
    conditions: Columns,
    /// Of each condition whether its key must be absent.
    absent: Vec<bool>,
    puts: Columns,
    deletes: Columns,
    /// What the conditions speak of, to name the one that does not hold.
    named: Vec<(Table, Vec<u8>)>,
}

impl Write {
    fn of(batch: Batch) -> Self {
        let mut last = BTreeMap::new();
        for Change { table, key, value } in batch.changes {
            last.insert((table.number(), key), value);
        }
        let mut write = Self::default();
        for Condition { table, key, want } in batch.conditions {
            write.absent.push(want.is_none());
            write.conditions.push(table.number(), key.clone(), want);
            write.named.push((table, key));
        }
        for ((table, key), value) in last {
            match value {
                Some(value) => write.puts.push(table, key, Some(value)),
                None => write.deletes.push(table, key, None),
            }
        }
        write
    }

    /// Sends it. The answer is the commit's: nothing is left open behind it.
    async fn send(
        &self,
        session: &Session,
        epoch: i64,
        number: i64,
        replicated: bool,
    ) -> Result<(), Error> {
        let Self { conditions, absent, puts, deletes, .. } = self;
        let parameters: [&(dyn ToSql + Sync); 12] = [
            &epoch,
            &number,
            &replicated,
            &conditions.tables,
            &conditions.keys,
            &conditions.values,
            absent,
            &puts.tables,
            &puts.keys,
            &puts.values,
            &deletes.tables,
            &deletes.keys,
        ];
        session.client.query(&session.write, &parameters).await.map(drop)
    }

    /// The error of a batch that the database has refused.
    fn refused(&self, error: &Error) -> StoreError {
        let database = error.as_db_error();
        let conflict = database.filter(|error| error.code().code() == CONFLICT);
        let place = conflict.and_then(|error| error.detail()?.parse::<usize>().ok());
        match place.and_then(|place| self.named.get(place.checked_sub(1)?)) {
            Some((table, key)) => StoreError::Conflict { table: *table, key: key.clone() },
            None => failed(error),
        }
    }
}

/// Whether the server has answered that it has done nothing. What ends the session says nothing of the batch.
fn is_answer(error: &Error) -> bool {
    let severity = error.as_db_error().and_then(|error| error.parsed_severity());
    severity == Some(Severity::Error)
}

impl Writer {
    /// Writes a batch, as its only one at a time.
    async fn write(&mut self, shared: &Shared, write: &Write) -> Result<(), StoreError> {
        let epoch = self.epoch.ok_or_else(|| StoreError::Fenced("no lease was taken".into()))?;
        let session = match &mut self.session {
            Some(session) if !session.client.is_closed() => session,
            // Nothing is under way: whatever was, is settled.
            session => session.insert(shared.session().await?),
        };
        self.number += 1;
        match write.send(session, epoch, self.number, shared.replicated).await {
            Ok(()) if !session.warned.load(Ordering::Relaxed) => Ok(()),
            Err(error) if is_answer(&error) => Err(write.refused(&error)),
            unknown => {
                let why = unknown.err().map(|error| error.to_string());
                tracing::warn!(why, "the outcome of a batch is not known; it is settled");
                self.settle(shared, epoch).await
            }
        }
    }

    /// Finds out what became of the last batch, whose connection ended. First its session is ended at the server, if it is there
    /// still: it may be waiting to be replicated. Then a new epoch is taken, by a commit that is replicated, and so is all
    /// that stands before it. What that finds as the last batch is the last.
    async fn settle(&mut self, shared: &Shared, epoch: i64) -> Result<(), StoreError> {
        let process = self.session.take().map_or(0, |session| session.process);
        loop {
            if shared.closed.load(Ordering::Relaxed) {
                return Err(StoreError::Broken("the outcome of a batch is not known".into()));
            }
            match self.settled(shared, epoch, process).await {
                Ok(written) => {
                    return match written {
                        true => Ok(()),
                        false => Err(StoreError::Away("the connection was lost".into())),
                    };
                }
                Err(StoreError::Away(why)) => {
                    tracing::warn!(why, "the database does not answer; it is asked again");
                    sleep(SETTLE_AGAIN).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn settled(
        &mut self,
        shared: &Shared,
        epoch: i64,
        process: i32,
    ) -> Result<bool, StoreError> {
        let session = shared.session().await?;
        let settle = "SELECT * FROM chancery_settle($1, $2)";
        let row = session
            .client
            .query_one(settle, &[&epoch, &process])
            .await
            .map_err(|error| failed(&error))?;
        let (new, last): (i64, i64) = (row.get(0), row.get(1));
        self.epoch = Some(new);
        self.session = Some(session);
        let written = last == self.number;
        self.number = last;
        Ok(written)
    }
}

impl PostgresStore {
    /// Connects to a database, and makes the table in one that has none. Nothing can be written before [`Store::lead`].
    ///
    /// # Errors
    /// [`StoreError`]: a setting is wrong, the database cannot be reached, or a newer program has written it.
    pub(crate) fn open(settings: &StoreSettings) -> Result<Self, StoreError> {
        let wrong = |what: &str, why: &dyn std::fmt::Display| StoreError::Setting {
            what: format!("store.{what}"),
            why: why.to_string(),
        };
        let url = settings.url.as_deref().unwrap_or_default();
        let mut config: Config = url.parse().map_err(|e: Error| wrong("url", &e))?;
        if config.get_password().is_some() {
            // Settings are shown, logged and copied.
            return Err(wrong("url", &"it holds a password, which belongs into `password_file`"));
        }
        if let Some(file) = &settings.password_file {
            crate::files::check_private(file)?;
            config.password(crate::files::read_text(file)?.trim_end_matches(['\r', '\n']));
        }
        config.options(OPTIONS);
        config.application_name("chancery");
        config.connect_timeout(PATIENCE);
        config.target_session_attrs(tokio_postgres::config::TargetSessionAttrs::ReadWrite);
        config.keepalives_idle(Duration::from_secs(5));
        config.tcp_user_timeout(PATIENCE);
        let tls = settings.tls_ca.as_deref().map(Tls::open).transpose()?;
        config.ssl_mode(match tls {
            Some(_) => tokio_postgres::config::SslMode::Require,
            None => tokio_postgres::config::SslMode::Disable,
        });
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = match &tls {
            Some(tls) => Manager::from_config(config.clone(), tls.clone(), recycling),
            None => Manager::from_config(config.clone(), NoTls, recycling),
        };
        let pool = Pool::builder(manager).max_size(READERS).build();
        let pool = pool.map_err(|e| StoreError::Broken(e.to_string()))?;
        let mut threads = Builder::new_multi_thread();
        let threads = threads.worker_threads(2).thread_name("database").enable_all();
        let runtime = threads.build().map_err(|e| StoreError::Broken(e.to_string()))?;
        let shared = Arc::new(Shared {
            runtime: Some(runtime),
            config,
            tls,
            pool,
            writer: tokio::sync::Mutex::default(),
            lost: watch::Sender::new(None),
            closed: AtomicBool::new(false),
            changed: watch::Sender::new(0),
            replicated: !settings.unreplicated,
        });
        let work = shared.clone();
        shared.wait(async move {
            let client = work.connect().await?;
            client.batch_execute(SETUP).await.map_err(|error| failed(&error))
        })?;
        let store = Self { shared };
        if let Some(found) = schema(&store)?.filter(|found| *found > SCHEMA) {
            return Err(StoreError::Schema { found, known: SCHEMA });
        }
        Ok(store)
    }

    fn try_to_lead(&self, who: &str) -> Result<Option<i64>, StoreError> {
        let (work, who) = (self.shared.clone(), who.to_owned());
        let epoch = self.shared.wait(async move {
            let mut writer = work.writer.lock().await;
            let session = work.session().await?;
            let lead = "SELECT * FROM chancery_lead($1, $2)";
            let taken = session.client.query_opt(lead, &[&who, &LEASE_SECONDS]).await;
            let Some(row) = taken.map_err(|error| failed(&error))? else { return Ok(None) };
            let (epoch, last): (i64, i64) = (row.get(0), row.get(1));
            *writer = Writer { session: Some(session), epoch: Some(epoch), number: last };
            Ok(Some(epoch))
        })?;
        if epoch.is_some() {
            self.keep_leading();
        }
        Ok(epoch)
    }

    /// Renews the lease until the store is dropped, or it is lost.
    fn keep_leading(&self) {
        let weak = Arc::downgrade(&self.shared);
        let Some(runtime) = &self.shared.runtime else { return };
        runtime.spawn(async move {
            let mut client: Option<Client> = None;
            loop {
                sleep(RENEW).await;
                let Some(shared) = weak.upgrade() else { return };
                if shared.closed.load(Ordering::Relaxed) {
                    return;
                }
                // A renewal of the epoch that settling has just replaced renews nothing: it is tried again.
                let Some(epoch) = shared.writer.try_lock().ok().and_then(|writer| writer.epoch)
                else {
                    continue;
                };
                let renewed = async {
                    let own = match client.take().filter(|client| !client.is_closed()) {
                        Some(client) => client,
                        None => shared.connect().await?,
                    };
                    let renew = "SELECT chancery_renew($1, $2)";
                    let row = own
                        .query_opt(renew, &[&epoch, &LEASE_SECONDS])
                        .await
                        .map_err(|error| failed(&error))?;
                    client = Some(own);
                    Ok(row.and_then(|row| row.get::<_, Option<i64>>(0)))
                };
                match timeout(PATIENCE, renewed).await.unwrap_or_else(|_| Err(late("renewing"))) {
                    Ok(Some(newest)) if newest == epoch => {}
                    Ok(found) => {
                        let now = shared.writer.lock().await.epoch;
                        if now == Some(epoch) {
                            let why = format!("epoch {epoch} is over; the lease has {found:?}");
                            tracing::error!(why, "another process has taken over the writing");
                            shared.lost.send_replace(Some(why));
                            return;
                        }
                    }
                    Err(error) => {
                        tracing::warn!(%error, "the lease could not be renewed; it is tried again")
                    }
                }
            }
        });
    }

    /// Whether some process has ever held the lease.
    fn has_been_led(&self) -> Result<bool, StoreError> {
        let rows = Reader::Now(self.shared.clone())
            .ask("SELECT epoch > 0 FROM chancery_lease", Vec::new());
        match rows {
            Ok(rows) => Ok(rows.first().is_some_and(|row| row.get(0))),
            // It has been there: its answer has just been read.
            Err(StoreError::Away(_)) => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// Refuses a database that answers a commit before it is replicated.
    fn check_replication(&self) -> Result<(), StoreError> {
        if !self.shared.replicated {
            return Ok(());
        }
        let rows = Reader::Now(self.shared.clone()).ask(
            "SELECT current_setting('synchronous_commit'), current_setting('synchronous_standby_names'), \
             current_setting('fsync')",
            Vec::new(),
        )?;
        let Some(row) = rows.first() else { return Ok(()) };
        let (commit, names, fsync): (String, String, String) = (row.get(0), row.get(1), row.get(2));
        let fits =
            ["on", "remote_apply"].contains(&commit.as_str()) && !names.is_empty() && fsync == "on";
        match fits {
            true => Ok(()),
            false => Err(StoreError::Setting {
                what: "store.url".into(),
                why: format!(
                    "commits there are not replicated synchronously (synchronous_commit = {commit}, \
                     synchronous_standby_names = '{names}', fsync = {fsync}): a failover may lose what was acknowledged, \
                     and the ledger is forked then. Set up a synchronous standby, or say `unreplicated = true`"
                ),
            }),
        }
    }
}

impl Drop for PostgresStore {
    fn drop(&mut self) {
        self.shared.closed.store(true, Ordering::Relaxed);
        // Others need not wait for the lease to run out. When it cannot be given back, they do.
        let work = self.shared.clone();
        let resigned = self.shared.wait(async move {
            let writer = timeout(RENEW, work.writer.lock()).await.map_err(|_| late("writing"))?;
            let (Some(epoch), Some(session)) = (writer.epoch, &writer.session) else {
                return Ok(());
            };
            let resign =
                async { session.client.query("SELECT chancery_resign($1)", &[&epoch]).await };
            let resigned = timeout(RENEW, resign).await.map_err(|_| late("resigning"))?;
            resigned.map(drop).map_err(|error| failed(&error))
        });
        if let Err(error) = resigned {
            tracing::debug!(%error, "the lease was not given back");
        }
    }
}

impl Read for PostgresStore {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Reader::Now(self.shared.clone()).get(table, key)
    }

    fn get_many(&self, table: Table, keys: &[Vec<u8>]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        Reader::Now(self.shared.clone()).get_many(table, keys)
    }

    fn scan(
        &self,
        table: Table,
        from: &[u8],
        prefix: &[u8],
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        Reader::Now(self.shared.clone()).scan(table, from, prefix, limit)
    }

    fn scan_back(
        &self,
        table: Table,
        prefix: &[u8],
        before: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        Reader::Now(self.shared.clone()).scan_back(table, prefix, before, limit)
    }
}

impl Store for PostgresStore {
    fn snapshot(&self) -> Result<Box<dyn Read>, StoreError> {
        let work = self.shared.clone();
        let client = self.shared.wait(async move {
            let client = work.connect().await?;
            // The first question after it fixes the instant.
            let begun =
                client.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SELECT 1");
            begun.await.map_err(|error| failed(&error))?;
            Ok(client)
        })?;
        Ok(Box::new(Reader::Then(self.shared.clone(), Arc::new(client))))
    }

    fn write(&self, batch: Batch) -> Result<(), StoreError> {
        let (work, write) = (self.shared.clone(), Write::of(batch));
        self.shared.wait(async move {
            let mut writer = work.writer.lock().await;
            let written = writer.write(&work, &write).await;
            if let Err(StoreError::Fenced(why)) = &written {
                work.lost.send_replace(Some(why.clone()));
            }
            written
        })?;
        self.shared.changed.send_modify(|count| *count += 1);
        Ok(())
    }

    fn watch(&self) -> watch::Receiver<u64> {
        self.shared.changed.subscribe()
    }

    fn maintenance(&self) -> Option<&dyn Maintenance> {
        None
    }

    fn lead(&self, who: &str, stop: &AtomicBool) -> Result<bool, StoreError> {
        let mut said = false;
        let mut complained = false;
        loop {
            if stop.load(Ordering::Relaxed) {
                return Ok(false);
            }
            let led = match self.check_replication() {
                Ok(()) => self.try_to_lead(who),
                // A server that has just been promoted replicates to nobody until it is told to whom. Whoever writes refuses
                // and tries again until then, and so does who would write next. Before anything was written it is a
                // mistake of who sets it up.
                Err(error @ StoreError::Setting { .. }) if self.has_been_led()? => {
                    if !std::mem::replace(&mut complained, true) {
                        tracing::error!(%error, code = error.code(), "nothing can be written; it is asked again");
                    }
                    std::thread::sleep(LOOK);
                    continue;
                }
                Err(error) => Err(error),
            };
            match led {
                Ok(Some(epoch)) => {
                    tracing::info!(epoch, "this process writes from now on");
                    break;
                }
                Ok(None) => {
                    if !std::mem::replace(&mut said, true) {
                        tracing::info!("another process writes; this one stands by");
                    }
                }
                Err(StoreError::Away(why)) => {
                    tracing::warn!(why, "the database does not answer; it is asked again");
                }
                Err(error) => return Err(error),
            }
            std::thread::sleep(LOOK);
        }
        begin(self)?;
        Ok(true)
    }

    fn lost(&self) -> Option<watch::Receiver<Option<String>>> {
        Some(self.shared.lost.subscribe())
    }
}
