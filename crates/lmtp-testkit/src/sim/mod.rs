//! Client and server, joined in memory by a line that cuts, delays, stalls and
//! breaks, on virtual time, all by a seed.
//!
//! What the application of the server took is the truth that every report is
//! held to: *delivered* means taken, *unsent* and *permanent* mean not taken, and
//! what was taken is *delivered* or *uncertain*. `judge.rs` has the rest.

mod client_side;
mod coverage;
mod faults;
mod handler;
mod judge;
mod link;
mod order;
mod plan;
mod random;
mod run;
mod server_side;
mod tags;
mod truth;

use std::time::Duration;

use lmtp_proto::Instant;
use lmtp_proto::server::table::State;

use client_side::ClientSide;
use faults::Standing;
use link::{Link, Pipe};
use plan::{Plan, seconds};
use server_side::ServerSide;

pub use coverage::Coverage;
pub use faults::Fault;
pub use order::Order;
pub use random::Random;
pub use run::{run, run_seed};

/// Steps of both sides together: far more than any session takes.
const STEPS: usize = 400_000;

/// Virtual time, and all that is left to chance.
#[derive(Debug)]
struct Clock<'a> {
    now: Instant,
    random: Random<'a>,
    traced: bool,
}

impl Clock<'_> {
    /// Prints what happens, if that is wanted.
    fn trace(&self, what: impl FnOnce() -> String) {
        if self.traced {
            println!("{:>10.3} {}", self.now.since_origin().as_secs_f64(), what());
        }
    }
}

/// A session on its way.
#[derive(Debug)]
struct World<'a> {
    plan: Plan,
    clock: Clock<'a>,
    link: Link,
    client: ClientSide,
    server: ServerSide,
    steps: usize,
    coverage: Coverage,
    /// The line stands still for ever, or is closed, from then on.
    dead_since: Option<Instant>,
}

/// Lets one session happen, and judges it; `traced` prints all of it.
///
/// # Panics
///
/// An invariant does not hold.
pub fn simulate(mut random: Random<'_>, traced: bool) -> Coverage {
    let plan = Plan::new(&mut random);
    let clock = Clock { now: Instant::ORIGIN, random, traced };
    clock.trace(|| format!("{plan:#?}"));
    let [to_server, to_client] = [0, 1].map(|way| Pipe::new(plan.capacity, plan.latency[way], plan.cuts[way]));
    let world = World {
        client: ClientSide::new(&plan),
        server: ServerSide::new(&plan),
        clock,
        link: Link { to_server, to_client },
        plan,
        steps: 0,
        coverage: Coverage::default(),
        dead_since: None,
    };
    world.run()
}

impl World<'_> {
    fn run(mut self) -> Coverage {
        while !(self.client.is_over && self.server.is_over) {
            self.steps += 1;
            assert!(self.steps < STEPS, "it does not end");
            if self.step() {
                self.happen();
            } else {
                self.let_time_pass();
            }
        }
        // The server's application learns that it is too late.
        if !self.server.is_killed {
            let end = Instant::after_origin(Duration::MAX);
            while self.server.handler.act(&mut self.server.server, end, &mut self.clock.random) {}
        }
        self.judge();
        self.coverage
    }

    /// Lets one side take a step, any of them; `false` if both wait.
    fn step(&mut self) -> bool {
        let Self { plan, clock, link, client, server, .. } = self;
        match clock.random.percent(50) {
            true => client.step(plan, link, clock) || server.step(plan, link, clock),
            false => server.step(plan, link, clock) || client.step(plan, link, clock),
        }
    }

    /// Where both sides stand.
    fn standing(&self) -> Standing {
        let state = self.server.server.state();
        let left = state == State::Over && self.server.server.error().is_none();
        let shown = !self.server.is_over && (left || !matches!(state, State::Over | State::TurnedAway));
        let failed = self.client.client.error().is_some();
        Standing {
            client: (!self.client.is_over && !failed).then(|| self.client.client.phase()),
            server: shown.then_some(state),
        }
    }

    /// Lets happen what is planned for now.
    fn happen(&mut self) {
        let standing = self.standing();
        let now = self.clock.now;
        for fault in &mut self.plan.faults {
            if fault.is_due(standing) {
                self.clock.trace(|| format!("      - {} at {standing:?}", fault.fault.name()));
                fault.strike(&mut self.link, now);
                self.coverage.struck(fault.fault, standing);
            }
        }
        let pipes = [&self.link.to_server, &self.link.to_client];
        if pipes.into_iter().all(|pipe| pipe.broken || pipe.stalled || pipe.ended) {
            self.dead_since.get_or_insert(now);
        }
        let due = |moment: Option<usize>| moment == Some(self.steps);
        let moments = self.plan.moments;
        if due(moments.shut_down) && !self.server.is_over {
            self.clock.trace(|| "server: is to shut down".into());
            self.server.server.act().shut_down();
        }
        if due(moments.kill) && !self.server.is_over {
            self.server.kill(&mut self.link, &self.clock);
        }
        if due(moments.abort) && !self.client.is_over {
            self.client.abort(&self.clock);
        }
        if due(moments.drop) && !self.client.is_over {
            self.client.drop(&mut self.link, &mut self.clock);
        }
        if self.clock.random.percent(3) {
            self.look();
        }
    }

    /// Neither side can go on before something arrives or a time is up.
    fn let_time_pass(&mut self) {
        let Self { plan, clock, link, client, server, .. } = self;
        if client.leave(plan, link, clock) {
            return;
        }
        let arrivals = [link.to_server.arrival(), link.to_client.arrival()];
        let next = [client.next(clock.now), server.next()].into_iter().chain(arrivals);
        // What is past cannot be waited for: octets that nobody reads by now.
        let Some(next) = next.flatten().filter(|at| *at > clock.now).min() else {
            panic!("both wait for ever: client {:?}, server {:?}", client.client.state(), server.server.state());
        };
        clock.trace(|| format!("      - nothing until {:.3}", next.since_origin().as_secs_f64()));
        clock.now = next;
        assert!(next <= self.bound(), "it takes too long: {next:?} is beyond {:?}", self.bound());
    }

    /// When the session must be over: each wait has an end, and there are only so
    /// many of them.
    fn bound(&self) -> Instant {
        let Plan { client, server, letters, faults, thinks, .. } = &self.plan;
        let (of_client, of_server) = (&client.timeouts, &server.timeouts);
        let patience = [of_client.mail, of_client.body, of_client.final_reply, of_server.command]
            .into_iter()
            .chain([of_server.handler, of_server.verdict, seconds(900)])
            .max()
            .unwrap_or_default();
        let recipients: usize = letters.iter().map(|letter| letter.envelope.recipients().len()).sum();
        let waits = 6 + 4 * letters.len() + 2 * recipients;
        let idle: Duration = letters.iter().map(|letter| letter.idle).sum();
        let delays: Duration = faults.iter().map(faults::Planned::time).sum();
        let thinking = *thinks * u32::try_from(60 * letters.len()).expect("few messages");
        let total = Instant::ORIGIN.saturating_add(patience * u32::try_from(waits).expect("few waits"));
        let total = total.saturating_add(idle + delays + thinking);
        // On a line that is dead, what is under way ends, and nothing new begins.
        match self.dead_since {
            Some(dead) => total.min(dead.saturating_add(patience * 6 + idle + delays + thinking)),
            None => total,
        }
    }
}
