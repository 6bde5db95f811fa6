//! The gateway that works: messages over TCP, logged in again whenever the connection breaks.

use std::io;
use std::net::{TcpStream, ToSocketAddrs};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::address::GatewayAddress;
use super::connection::Connection;
use crate::error::{Error, Result};
use crate::gateway::message::PROTOCOL_VERSION;
use crate::gateway::{
    Accepted, Flag, Gateway, GatewayCounts, ListOrders, Login, Logout, Message, News, OrdersListed,
    RefusalReason, Refused, Report, Request, Standing,
};

/// Time after which a connection is tried again.
const PAUSE: Duration = Duration::from_millis(50);

/// Time that a connection may take.
const CONNECT: Duration = Duration::from_secs(2);

/// Time that a goodbye may take.
const GOODBYE: Duration = Duration::from_secs(2);

/// What to do where both sides do not fit together any more.
const CURE: &str = "one of them lost the end of its journal: compare orders and positions with the \
                    venue, and start a new run";

/// Breaks that are told one by one.
const BREAKS_MAX: usize = 10;

/// A gateway over TCP to `ringtape venue`, or to whoever speaks its
/// [messages](crate::gateway::message).
///
/// ```no_run
/// use ringtape::engine::{EngineConfig, TcpGateway};
///
/// let gateway = TcpGateway::new("tcp://127.0.0.1:7001".parse()?);
/// let config = EngineConfig { gateway: Some(Box::new(gateway)), ..EngineConfig::default() };
/// # Ok::<(), ringtape::error::Error>(())
/// ```
#[derive(Debug)]
pub struct TcpGateway {
    address: GatewayAddress,
    name: String,
    standing: Standing,
    state: State,
    /// Open orders that were told since the session began.
    listed: u64,
    /// Until when a goodbye is awaited, once the run is over.
    closing: Option<Instant>,
    counts: GatewayCounts,
}

#[derive(Debug)]
enum State {
    /// The run is not ready to trade, or over.
    Resting,
    Pausing(Instant),
    Connecting(JoinHandle<io::Result<TcpStream>>),
    LoggingIn(Connection),
    /// Reports before this number were made before the session.
    Up(Connection, u64),
}

impl TcpGateway {
    /// A gateway that is not connected.
    pub fn new(address: GatewayAddress) -> Self {
        Self {
            name: address.to_string(),
            address,
            standing: Standing::default(),
            state: State::Resting,
            listed: 0,
            closing: None,
            counts: GatewayCounts::default(),
        }
    }

    /// Gives a connection up, to try another one later.
    fn break_off(&mut self, error: &Error, news: &mut Vec<News>) {
        if self.counts.breaks.len() < BREAKS_MAX {
            self.counts.breaks.push(error.to_string());
        }
        if matches!(self.state, State::Up(..)) {
            news.push(News::Down { next_command: 0 });
        }
        self.state = match self.closing {
            Some(_) => State::Resting,
            None => State::Pausing(Instant::now() + PAUSE),
        };
    }

    fn connect(&self) -> State {
        let host = self.address.host.clone();
        // Connecting waits, so it is done elsewhere.
        State::Connecting(std::thread::spawn(move || {
            let mut failed = io::ErrorKind::AddrNotAvailable.into();
            for address in host.to_socket_addrs()? {
                match TcpStream::connect_timeout(&address, CONNECT) {
                    Ok(stream) => return Ok(stream),
                    Err(error) => failed = error,
                }
            }
            Err(failed)
        }))
    }

    /// Logs in on a stream that is there.
    fn log_in(&self, stream: io::Result<TcpStream>) -> Result<Connection> {
        let stream = stream.map_err(|source| Error::io("connect to", &self.name, source))?;
        let mut connection = Connection::new(stream, self.name.clone(), self.address.heartbeat)?;
        let Standing { run, next_command, next_report, cancel_on_disconnect, .. } = self.standing;
        connection.send(Login {
            version: PROTOCOL_VERSION,
            cancel_on_disconnect: Flag(cancel_on_disconnect),
            heartbeat_ms: self.address.heartbeat.as_millis() as u32,
            run,
            next_command,
            next_report,
        });
        Ok(connection)
    }

    /// The state after this one, and how much was done.
    fn advance(&mut self, now: Instant, news: &mut Vec<News>) -> Result<usize> {
        match std::mem::replace(&mut self.state, State::Resting) {
            State::Pausing(until) if now >= until => self.state = self.connect(),
            State::Connecting(thread) if thread.is_finished() => {
                let stream = thread.join().unwrap_or_else(|_| Err(io::ErrorKind::Other.into()));
                match self.log_in(stream) {
                    Ok(connection) => self.state = State::LoggingIn(connection),
                    Err(error) => self.break_off(&error, news),
                }
            }
            State::LoggingIn(connection) => return self.await_answer(connection, now, news),
            State::Up(connection, made_before) => {
                self.state = State::Up(connection, made_before);
                return match self.talk(now, news) {
                    Ok(work) => Ok(work),
                    Err(error) => {
                        self.break_off(&error, news);
                        Ok(1)
                    }
                };
            }
            other => {
                self.state = other;
                return Ok(0);
            }
        }
        Ok(1)
    }

    fn await_answer(
        &mut self,
        mut connection: Connection,
        now: Instant,
        news: &mut Vec<News>,
    ) -> Result<usize> {
        let answer = connection
            .flush()
            .and_then(|_| connection.keep_alive(now, self.standing.next_command))
            .and_then(|()| connection.receive());
        match answer {
            Ok(None) => {
                self.state = State::LoggingIn(connection);
                return Ok(0);
            }
            Ok(Some(Message::Accepted(accepted))) => {
                let Accepted { next_command, next_report } = accepted;
                self.check(&accepted)?;
                self.listed = 0;
                connection.send(ListOrders {});
                self.standing.next_command = next_command;
                self.standing.sessions += 1;
                self.counts.sessions += 1;
                self.state = State::Up(connection, next_report);
                news.push(News::Up { next_command });
                if self.closing.is_some() {
                    self.close();
                }
            }
            Ok(Some(Message::Refused(refused))) => return Err(self.refused(&refused)),
            Ok(Some(Message::Heartbeat(_))) => self.state = State::LoggingIn(connection),
            Ok(Some(other)) => {
                let error = misplaced(&connection, &other);
                self.break_off(&error, news);
            }
            Err(error) => self.break_off(&error, news),
        }
        Ok(1)
    }

    /// Sends and takes what there is; how much was taken.
    fn talk(&mut self, now: Instant, news: &mut Vec<News>) -> Result<usize> {
        let State::Up(connection, made_before) = &mut self.state else { return Ok(0) };
        let mut work = usize::from(connection.flush()?);
        while let Some(message) = connection.receive()? {
            work += 1;
            match message {
                Message::Report(report) => {
                    if report.report != self.standing.next_report {
                        return Err(out_of_turn(connection, &report, self.standing.next_report));
                    }
                    self.standing.next_report += 1;
                    self.counts.reports += 1;
                    self.counts.recovered += u64::from(report.report < *made_before);
                    news.push(News::Report(report));
                }
                Message::OpenOrder(order) => {
                    self.listed += 1;
                    news.push(News::OpenOrder(order));
                }
                Message::OrdersListed(listed) => {
                    let own = OrdersListed {
                        count: std::mem::take(&mut self.listed),
                        next_report: self.standing.next_report,
                    };
                    if listed != own {
                        return Err(ill_listed(connection, &listed, &own));
                    }
                    news.push(News::OrdersListed(listed));
                }
                Message::Heartbeat(_) => self.counts.heartbeats += 1,
                Message::Goodbye(_) if self.closing.is_none() => {
                    return Err(Error::Venue {
                        what: format!("{} said goodbye, which nobody asked for", connection.peer()),
                        cure: "its orders are looked for in the next session".to_owned(),
                    });
                }
                Message::Goodbye(goodbye) => {
                    news.push(News::Down { next_command: goodbye.next_command });
                    self.state = State::Resting;
                    return Ok(work);
                }
                other => return Err(misplaced(connection, &other)),
            }
        }
        connection.keep_alive(now, self.standing.next_command)?;
        Ok(work)
    }

    /// Refuses a session in which the venue says that it has had what was never sent, or has not
    /// made what has come.
    fn check(&self, accepted: &Accepted) -> Result<()> {
        let (own, Accepted { next_command, next_report }) = (self.standing, *accepted);
        if (1..=own.next_command).contains(&next_command) && next_report >= own.next_report {
            return Ok(());
        }
        Err(Error::Venue {
            what: format!(
                "no session: the venue at {} takes command {next_command} next and makes report \
                 {next_report}, and this run would send command {} and needs report {}",
                self.name, own.next_command, own.next_report
            ),
            cure: CURE.to_owned(),
        })
    }

    /// Why there cannot be a session.
    fn refused(&self, refused: &Refused) -> Error {
        let Refused { reason, next_command, next_report } = refused;
        let (commands, reports) = (next_command.saturating_sub(1), next_report.saturating_sub(1));
        let own = self.standing;
        let what = match reason {
            RefusalReason::Version => format!("speaks another version than {PROTOCOL_VERSION}"),
            RefusalReason::UnknownCommands => format!(
                "has had {commands} commands of this run, whose journal knows of {}",
                own.next_command.saturating_sub(1)
            ),
            RefusalReason::UnknownReports => format!(
                "has made {reports} reports to this run, whose journal holds {}",
                own.next_report.saturating_sub(1)
            ),
            RefusalReason::Misplaced => "does not take the login".to_owned(),
        };
        let cure = match reason {
            RefusalReason::Version => "run both of one version",
            RefusalReason::Misplaced => "see what it says of that",
            RefusalReason::UnknownCommands | RefusalReason::UnknownReports => CURE,
        };
        Error::Venue {
            what: format!("no session: the venue at {} {what}", self.name),
            cure: cure.to_owned(),
        }
    }
}

fn misplaced(connection: &Connection, message: &Message) -> Error {
    let what = format!("a message {} stands where none may stand", message.name());
    Error::BadMessage { peer: connection.peer().to_owned(), offset: 0, what }
}

fn ill_listed(connection: &Connection, told: &OrdersListed, own: &OrdersListed) -> Error {
    let [told, own] = [told, own].map(|list| {
        let OrdersListed { count, next_report } = list;
        format!("{count} orders before report {next_report}")
    });
    Error::Venue {
        what: format!("{} counts {told} in its list of {own}", connection.peer()),
        cure: "it is asked again in the next session".to_owned(),
    }
}

fn out_of_turn(connection: &Connection, report: &Report, awaited: u64) -> Error {
    let what = format!("report {} came where {awaited} was awaited", report.report);
    Error::BadMessage { peer: connection.peer().to_owned(), offset: 0, what }
}

impl Gateway for TcpGateway {
    fn address(&self) -> &str {
        &self.name
    }

    fn open(&mut self, standing: Standing) {
        self.standing = standing;
        self.state = self.connect();
    }

    fn send(&mut self, request: &Request) {
        match &mut self.state {
            State::Up(connection, _)
                if self.closing.is_none() && request.session == self.standing.sessions =>
            {
                connection.send(request.message());
                self.standing.next_command = request.number + 1;
                self.counts.commands += 1;
            }
            _ => {
                self.standing.next_command = self.standing.next_command.max(request.number + 1);
                self.counts.dropped += 1;
            }
        }
    }

    fn poll(&mut self, news: &mut Vec<News>) -> Result<usize> {
        let now = Instant::now();
        if self.closing.is_some_and(|until| now >= until) {
            if matches!(self.state, State::Up(..)) {
                news.push(News::Down { next_command: 0 });
            }
            self.state = State::Resting;
        }
        self.advance(now, news)
    }

    fn close(&mut self) {
        self.closing = Some(Instant::now() + GOODBYE);
        // A session that is about to begin is waited for: it tells what became of open orders.
        if let State::Up(connection, _) = &mut self.state {
            connection.send(Logout {});
        }
    }

    fn is_closed(&self) -> bool {
        self.closing.is_some() && matches!(self.state, State::Resting)
    }

    fn counts(&self) -> GatewayCounts {
        self.counts.clone()
    }
}
