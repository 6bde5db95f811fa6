//! The server: sockets on one side, inbox and execution journal on the other.

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bytemuck::Zeroable;

use super::client::{Client, Stage};
use super::opening::OpeningBook;
use super::runs::{Run, Runs};
use super::wire::{Desk, cancel_account, echo, report};
use crate::clock::Clock;
use crate::engine::gateway::Connection;
use crate::engine::outcomes::{Handover, hand_over, take};
use crate::engine::{EXECUTIONS_DIR, Engine, MARKET_DIR};
use crate::error::{Error, Result};
use crate::event::{Event, Execution, InstrumentTable, Reason};
use crate::gateway::{Accepted, Goodbye, Login, RefusalReason, Refused};
use crate::journal::{Read, Reader};
use crate::limits::{BATCH_RECORDS_MAX, INBOX_CAPACITY};
use crate::ring::{InboxSender, Wait};
use crate::runtime::{Agent, PlannedRunner, Runner, StopFlag};
use crate::strategy::TraderCounts;
use crate::units::Nanos;

/// Heartbeats until a login says otherwise, and time that one may take.
const LOGIN: Duration = Duration::from_secs(5);

/// Time that the last commands may take when the server is stopped.
const STOP: Duration = Duration::from_secs(2);

/// What a server did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VenueCounts {
    /// Runs that have traded here, in earlier lives of the venue too.
    pub runs: u64,
    /// Sessions that were opened.
    pub sessions: u64,
    /// Commands that were taken.
    pub commands: u64,
    /// Reports that were sent, those sent again included.
    pub reports: u64,
    /// Commands of the venue's own that its matching engine rejected, in earlier lives too: mass
    /// cancels that found no order.
    pub own_rejects: u64,
    /// Why connections ended that nobody asked to end, the first ones.
    pub breaks: Vec<String>,
}

impl VenueCounts {
    /// Takes the venue's own commands out of what clients were rejected.
    pub fn leave_out_own(&self, trades: &mut TraderCounts) {
        let own = self.own_rejects.min(trades.rejects.rejected(Reason::UnknownOrder));
        trades.rejects.by_reason[Reason::UnknownOrder as usize] -= own;
        trades.rejected -= own;
    }
}

/// A venue's server, on a thread of its own.
#[derive(Debug)]
pub struct VenueServer {
    runner: Runner,
    address: SocketAddr,
    stop: StopFlag,
    counts: Handover<VenueCounts>,
}

impl VenueServer {
    /// Serves clients of `listener` with what `engine` matches, whose journals are in `dir`; orders
    /// of the book that it has not got yet go in first.
    ///
    /// The engine runs the book's [`feed`](OpeningBook::feed) through a matching engine.
    ///
    /// # Errors
    ///
    /// Journals that cannot be read, a listener that cannot be used without waiting.
    pub fn start(
        listener: TcpListener,
        engine: &Engine,
        dir: &Path,
        book: &OpeningBook,
        wait: Wait,
    ) -> Result<Self> {
        let prepared = listener.set_nonblocking(true).and_then(|()| listener.local_addr());
        let address = prepared.map_err(|source| Error::io("listen at", "the address", source))?;
        let mut runs = Runs::of_journal(&dir.join(MARKET_DIR))?;
        let mut pending: VecDeque<Event> =
            book.orders.iter().skip(runs.opened as usize).copied().collect();
        let clock = Clock::new();
        let now = clock.now().0;
        // Whoever had a session when the venue was killed has lost it.
        for index in 0..runs.len() {
            disconnect(&mut runs, index, &book.instruments, now, &mut pending);
        }
        pending.push_back(echo(now));
        runs.echoes_sent += 1;
        let ready_at = runs.echoes_sent;
        let (stop, counts) = (StopFlag::default(), Handover::default());
        let server = Server {
            listener,
            clients: vec![],
            runs,
            listed: book.instruments.clone(),
            inbox: engine.handle().inbox(),
            pending,
            ready_at,
            executions: Reader::open(&dir.join(EXECUTIONS_DIR))?,
            room: vec![Execution::zeroed(); BATCH_RECORDS_MAX].into(),
            dir: dir.join(EXECUTIONS_DIR),
            clock: clock.clone(),
            stop: stop.clone(),
            stopping: None,
            is_done: false,
            counts: VenueCounts::default(),
            handover: counts.clone(),
        };
        let plan = PlannedRunner { agents: vec![NAME], core: None };
        let runner = Runner::start(&plan, wait, &clock, vec![Box::new(server)])?;
        Ok(Self { runner, address, stop, counts })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether it has come to an end by itself, which is a failure.
    pub fn is_finished(&self) -> bool {
        self.runner.is_finished()
    }

    /// Sends the clients away and ends; to be called before the engine is stopped.
    ///
    /// # Errors
    ///
    /// What made it end before.
    pub fn stop(self) -> Result<VenueCounts> {
        self.stop.set();
        let mut ended = self.runner.join();
        match ended.failures.pop() {
            Some(failure) => Err(failure.error),
            None => Ok(take(self.counts)),
        }
    }
}

/// Name of the agent.
const NAME: &str = "venue";

/// Breaks that are told one by one.
const BREAKS_MAX: usize = 10;

pub(super) struct Server {
    listener: TcpListener,
    pub(super) clients: Vec<Client>,
    pub(super) runs: Runs,
    pub(super) listed: InstrumentTable,
    inbox: InboxSender<Event>,
    /// Commands that found no room in the inbox.
    pub(super) pending: VecDeque<Event>,
    /// The echo that must be heard before anybody may log in: all reports are counted then.
    ready_at: u64,
    executions: Reader<Execution>,
    /// Room for reading.
    room: Box<[Execution]>,
    dir: PathBuf,
    pub(super) clock: Clock,
    stop: StopFlag,
    stopping: Option<Instant>,
    is_done: bool,
    pub(super) counts: VenueCounts,
    handover: Handover<VenueCounts>,
}

/// Ends the session of a run that has one, and cancels its orders if it wanted that.
fn disconnect(
    runs: &mut Runs,
    index: usize,
    listed: &InstrumentTable,
    now: u64,
    pending: &mut VecDeque<Event>,
) {
    let run = runs.get_mut(index);
    if !run.is_up {
        return;
    }
    run.is_up = false;
    pending.push_back(Desk { run, listed, now }.session());
    if run.cancel_on_disconnect {
        cancel_orders(run, now, pending);
    }
}

/// Cancels every order of a run.
pub(super) fn cancel_orders(run: &Run, now: u64, pending: &mut VecDeque<Event>) {
    pending.extend(run.accounts.iter().map(|&own| cancel_account(run.account(own), now)));
}

impl Server {
    /// Posts what there is room for, once every instrument is listed; how much.
    // WHY: the feed handler takes what is posted before what its feed has: an order of the opening
    // book that was posted at once found its instrument not defined yet.
    fn post(&mut self) -> usize {
        if self.runs.listings < self.listed.len() {
            return 0;
        }
        let before = self.pending.len();
        while let Some(event) = self.pending.pop_front() {
            if self.inbox.len() >= INBOX_CAPACITY || self.inbox.post(event).is_err() {
                self.pending.push_front(event);
                break;
            }
        }
        before - self.pending.len()
    }

    /// Takes in clients that come.
    fn accept(&mut self) -> Result<usize> {
        let (stream, peer) = match self.listener.accept() {
            Ok(accepted) => accepted,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(0),
            Err(error) if error.kind() == ErrorKind::ConnectionAborted => return Ok(0),
            Err(source) => return Err(Error::io("accept at", "the address", source)),
        };
        match Connection::new(stream, peer.to_string(), LOGIN) {
            Ok(connection) => {
                let since = Instant::now();
                self.clients.push(Client { connection, stage: Stage::Silent, since });
            }
            // One that is gone already is nobody else's end.
            Err(error) => self.note_break(&error),
        }
        Ok(1)
    }

    /// Takes in what became of orders, and tells those whose orders they are; how much.
    fn follow(&mut self) -> Result<usize> {
        let Read::Records(count) = self.executions.read(&mut self.room)? else { return Ok(0) };
        for execution in &self.room[..count] {
            let Some(index) = self.runs.note(execution) else { continue };
            let number = self.runs.get(index).reports;
            let listener = self.clients.iter_mut().find(|client| client.run() == Some(index));
            if let Some(client) = listener {
                client.connection.send(report(number, execution, &self.listed));
                self.counts.reports += 1;
            }
        }
        Ok(count)
    }

    /// Sends the reports of a run from `from` on once more, as far as executions were read.
    fn send_again(&mut self, client: usize, index: usize, from: u64) -> Result<()> {
        if from > self.runs.get(index).reports {
            return Ok(());
        }
        let mut reader = Reader::<Execution>::open(&self.dir)?;
        let mut room = vec![Execution::zeroed(); BATCH_RECORDS_MAX];
        let mut number = 0;
        while reader.position() < self.executions.position() {
            let left = self.executions.position() - reader.position();
            let most = room.len().min(left as usize);
            let Read::Records(count) = reader.read(&mut room[..most])? else { break };
            for execution in &room[..count] {
                if self.runs.concerned(execution) != Some(index) {
                    continue;
                }
                number += 1;
                if number >= from {
                    let again = report(number, execution, &self.listed);
                    self.clients[client].connection.send(again);
                    self.counts.reports += 1;
                }
            }
        }
        Ok(())
    }

    /// Talks with a client; how much was done.
    fn talk(&mut self, client: usize) -> Result<usize> {
        let mut work = usize::from(self.clients[client].connection.flush()?);
        if let Stage::Waiting(login) = self.clients[client].stage
            && self.runs.echoes >= self.ready_at
        {
            self.log_in(client, &login)?;
            work += 1;
        }
        if let Stage::Leaving(index, echo) = self.clients[client].stage
            && self.runs.echoes >= echo
        {
            let run = self.runs.get(index);
            let goodbye = Goodbye { next_command: run.commands + 1, next_report: run.reports + 1 };
            self.clients[client].connection.send(goodbye);
            self.clients[client].stage = Stage::Over;
            self.leave(index);
            work += 1;
        }
        // A client that sends faster than the engine takes waits.
        while self.pending.len() < INBOX_CAPACITY {
            let Some(message) = self.clients[client].connection.receive()? else { break };
            work += 1;
            self.heed(client, message)?;
        }
        let next = self.clients[client].run().map_or(1, |index| self.runs.get(index).reports + 1);
        self.clients[client].connection.keep_alive(Instant::now(), next)?;
        work += usize::from(self.clients[client].connection.flush()?);
        Ok(work)
    }

    /// Opens a session, or says why there is none.
    fn log_in(&mut self, client: usize, login: &Login) -> Result<()> {
        let index = self.runs.login(login.run);
        // A run has one session: a new one ends the one before.
        let before = self.clients.iter().position(|other| other.run() == Some(index));
        if let Some(before) = before {
            self.clients[before].stage = Stage::Over;
            self.leave(index);
        }
        let run = self.runs.get(index);
        let (next_command, next_report) = (run.commands + 1, run.reports + 1);
        let refusal = if next_command > login.next_command {
            Some(RefusalReason::UnknownCommands)
        } else if login.next_report > next_report {
            Some(RefusalReason::UnknownReports)
        } else {
            None
        };
        if let Some(reason) = refusal {
            self.clients[client].connection.send(Refused { reason, next_command, next_report });
            self.clients[client].stage = Stage::Over;
            return Ok(());
        }
        let run = self.runs.get_mut(index);
        run.is_up = true;
        run.cancel_on_disconnect = login.cancel_on_disconnect.0;
        let now = self.clock.now().0;
        self.pending.push_back(Desk { run, listed: &self.listed, now }.session());
        self.counts.sessions += 1;
        self.clients[client].connection.send(Accepted { next_command, next_report });
        self.clients[client].stage = Stage::Up(index);
        self.send_again(client, index, login.next_report)
    }

    /// A run's session is over.
    fn leave(&mut self, index: usize) {
        let now = self.clock.now().0;
        disconnect(&mut self.runs, index, &self.listed, now, &mut self.pending);
    }

    /// Lets a client go whose connection is broken, or who is done.
    fn drop_client(&mut self, client: usize, error: Option<&Error>) {
        let gone = self.clients.swap_remove(client);
        if let Some(index) = gone.run() {
            self.leave(index);
        }
        if let Some(error) = error.filter(|_| gone.stage != Stage::Over) {
            self.note_break(error);
        }
    }

    fn note_break(&mut self, error: &Error) {
        if self.counts.breaks.len() < BREAKS_MAX {
            self.counts.breaks.push(error.to_string());
        }
    }

    /// Whether a client has nothing more to be told, or never said who it is.
    fn is_over(&self, client: usize) -> bool {
        let Client { connection, stage, since } = &self.clients[client];
        match stage {
            Stage::Over => connection.is_flushed(),
            Stage::Silent => since.elapsed() > LOGIN,
            _ => false,
        }
    }

    /// Sends everybody away and waits until the engine has it; whether that is so.
    fn wind_up(&mut self) -> bool {
        if self.stopping.is_none() {
            self.stopping = Some(Instant::now());
            while !self.clients.is_empty() {
                self.drop_client(0, None);
            }
            let now = self.clock.now().0;
            self.pending.push_back(echo(now));
            self.runs.echoes_sent += 1;
        }
        let is_late = self.stopping.is_some_and(|since| since.elapsed() > STOP);
        is_late || (self.pending.is_empty() && self.runs.echoes >= self.runs.echoes_sent)
    }
}

impl Agent for Server {
    fn name(&self) -> &str {
        NAME
    }

    fn do_work(&mut self) -> Result<usize> {
        let mut work = self.post() + self.follow()?;
        if self.stop.is_set() {
            self.is_done = self.wind_up();
            return Ok(work);
        }
        work += self.accept()?;
        let mut client = 0;
        while client < self.clients.len() {
            match self.talk(client) {
                Ok(_) if self.is_over(client) => self.drop_client(client, None),
                Ok(done) => {
                    work += done;
                    client += 1;
                }
                // A journal that cannot be read is everybody's end, a connection only its client's.
                Err(error @ Error::BadJournal { .. }) => return Err(error),
                Err(error) => self.drop_client(client, Some(&error)),
            }
        }
        work += self.post();
        Ok(work)
    }

    fn completed(&mut self, _started: Nanos, _now: Nanos) {}

    fn is_done(&self) -> bool {
        self.is_done
    }

    fn fail(&mut self, _cause: &str) {}

    fn finish(&mut self) {
        self.counts.runs = self.runs.len() as u64;
        self.counts.own_rejects = self.runs.own_rejects;
        hand_over(&self.handover, std::mem::take(&mut self.counts));
    }
}
