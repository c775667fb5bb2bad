//! The server machine and its driver; its application is the handler.

use bytes::Buf;
use lmtp_proto::server::{Error, Server};
use lmtp_proto::{Instant, Machine, Output};

use super::Clock;
use super::handler::Handler;
use super::link::{Link, Read, Room};
use super::plan::Plan;
use crate::counted::Counted;

/// As much as may wait to be written: the queue, and the replies to one message.
const QUEUE: usize = 64 * 1024 + 4096;

/// The server machine, its driver and its application.
#[derive(Debug)]
pub(super) struct ServerSide {
    pub(super) server: Counted<Server>,
    pub(super) handler: Handler,
    pub(super) is_over: bool,
    pub(super) is_killed: bool,
    told: (bool, bool),
    pub(super) error: Option<Error>,
}

impl ServerSide {
    pub(super) fn new(plan: &Plan) -> Self {
        let server = Counted::new(Server::new(plan.server.clone()));
        Self {
            server,
            handler: Handler::new(plan.manners),
            is_over: false,
            is_killed: false,
            told: (false, false),
            error: None,
        }
    }

    /// When it will next do something by itself.
    pub(super) fn next(&self) -> Option<Instant> {
        if self.is_over {
            return None;
        }
        [self.server.poll_timeout(), self.handler.next()].into_iter().flatten().min()
    }

    /// Takes one step; `false` if it waits.
    pub(super) fn step(&mut self, plan: &Plan, link: &mut Link, clock: &mut Clock<'_>) -> bool {
        if self.is_over {
            return false;
        }
        if self.handler.act(&mut self.server, clock.now, &mut clock.random) {
            return true;
        }
        let output = match self.server.poll_output(clock.now) {
            Ok(output) => output,
            Err(error) => {
                assert_eq!(self.server.poll_output(clock.now), Err(error), "an error is final and repeats");
                clock.trace(|| format!("server: over: {error}"));
                self.error = Some(error);
                self.close(link, clock);
                return true;
            }
        };
        match output {
            Output::Event(event) => {
                clock.trace(|| format!("server: {event:?}"));
                self.handler.hear(event, &mut self.server, &plan.letters, clock.now, &mut clock.random);
                self.handler.be_early(&mut self.server, &mut clock.random);
            }
            Output::Transmit => return self.write(link, clock),
            Output::Receive => return self.read(link, clock),
            Output::Wait => return self.time_out(clock),
            Output::Closed => {
                clock.trace(|| "server: closed".into());
                self.close(link, clock);
            }
            Output::StartTls => panic!("nobody asked for TLS"),
        }
        true
    }

    fn write(&mut self, link: &mut Link, clock: &mut Clock<'_>) -> bool {
        match link.to_client.room() {
            Room::Broken => {
                assert!(!self.told.1, "asked to write where nothing can be written");
                self.told.1 = true;
                self.server.handle_write_closed();
            }
            Room::Octets(room) => {
                let queue = self.server.transmit();
                assert!(queue.len() <= QUEUE, "{} octets are queued", queue.len());
                let most = queue.chunk().len().min(room);
                assert!(most > 0, "asked to write nothing");
                let count = if clock.random.percent(70) { most } else { clock.random.up_to(most) };
                link.to_client.write(&queue.chunk()[..count], clock.now);
                queue.advance(count);
            }
            Room::Full => return self.time_out(clock),
        }
        true
    }

    fn read(&mut self, link: &mut Link, clock: &mut Clock<'_>) -> bool {
        match link.to_server.read(8192, clock.now, &mut clock.random) {
            Read::Octets(octets) => {
                let input = self.server.input();
                input.extend_from_slice(&octets);
                assert!(input.len() <= 64 * 1024 + 8192, "{} octets are kept", input.len());
            }
            Read::Nothing => return self.time_out(clock),
            end => {
                assert!(!self.told.0, "asked to read where nothing can be read");
                self.told.0 = true;
                clock.trace(|| format!("server: reads {end:?}"));
                self.server.handle_eof();
                if end == Read::Broken {
                    self.told.1 = true;
                    self.server.handle_write_closed();
                }
            }
        }
        true
    }

    fn time_out(&mut self, clock: &Clock<'_>) -> bool {
        let due = self.server.poll_timeout().is_some_and(|at| at <= clock.now);
        if due {
            clock.trace(|| "server: its time is up".into());
            self.server.handle_timeout(clock.now);
        } else {
            self.server.in_vain();
        }
        due
    }

    /// The process is killed: nothing more is said, and what the application
    /// took, it has.
    pub(super) fn kill(&mut self, link: &mut Link, clock: &Clock<'_>) {
        clock.trace(|| "server: killed".into());
        (self.is_over, self.is_killed) = (true, true);
        link.reset();
    }

    /// Closes the stream. What was not read may cost what was not delivered.
    fn close(&mut self, link: &mut Link, clock: &mut Clock<'_>) {
        self.is_over = true;
        let unread = !link.to_server.is_empty();
        (link.to_client.ended, link.to_server.unread) = (true, true);
        if unread && clock.random.percent(50) {
            link.to_client.destroy();
        }
    }
}
