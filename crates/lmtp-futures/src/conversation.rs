//! One session: what the machine asks is put to the application.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};

use lmtp_proto::auth::Mechanism;
use lmtp_proto::server::{Ask, Event, Peer, Question};
use lmtp_proto::value::{ForwardPath, MailParams, RcptParams, ReversePath};
use lmtp_proto::{Envelope, Reply, TransactionId};

use crate::delivery::{Patience, deliver};
use crate::line::{Line, Made};
use crate::{Handler, Session, Transport};

/// A message whose content has not begun.
struct Begun {
    id: TransactionId,
    from: ReversePath,
    params: MailParams,
    to: Vec<(ForwardPath, RcptParams)>,
}

/// One session, from the first question to the end.
pub(crate) struct Conversation<'a, T, H: Handler> {
    line: &'a mut Line<T>,
    session: H::Session,
    patience: Patience,
    incoming: Option<Begun>,
    mechanism: Option<Box<dyn Mechanism>>,
}

/// Serves one client to the end. With a refusal, it is turned away with that.
pub(crate) async fn converse<T: Transport, H: Handler>(
    line: &mut Line<T>,
    peer: &mut Peer,
    handler: &H,
    patience: Patience,
    mut refusal: Option<Reply>,
) {
    while let Some(event) = next(line).await {
        let Event::Question(question) = event else { continue };
        peer.proxy = line.machine.header().cloned();
        let made = match refusal.take() {
            Some(refusal) => Made::Answer(Err(refusal)),
            None => line.made(handler.connect(peer)).await,
        };
        let (session, decision) = match made {
            Made::Answer(Ok(session)) => (Some(session), Made::Answer(Ok(()))),
            Made::Answer(Err(refusal)) => (None, Made::Answer(Err(refusal))),
            Made::TooLate => (None, Made::TooLate),
            Made::Panic => (None, Made::Panic),
        };
        let is_served = line.settle(question, decision).is_some();
        if let Some(session) = session.filter(|_| is_served) {
            let (incoming, mechanism) = (None, None);
            return Conversation::<T, H> { line, session, patience, incoming, mechanism }.run().await;
        }
    }
}

async fn next<T: Transport>(line: &mut Line<T>) -> Option<Event> {
    poll_fn(|context| line.poll_event(context)).await
}

impl<T: Transport, H: Handler> Conversation<'_, T, H> {
    async fn run(mut self) {
        while let Some(event) = next(self.line).await {
            match event {
                Event::Question(_) if self.line.failed => self.line.server().give_up(),
                // What waited for the application for too long is answered already.
                Event::Question(question) if self.line.server().is_open(&question) => self.answer(question).await,
                Event::Over(_, ending) => {
                    self.incoming = None;
                    self.tell(|session| session.over(&ending));
                }
                Event::Trace(name) => self.tell(|session| session.trace(&name)),
                _ => {}
            }
        }
    }

    /// Tells the application something that it need not answer.
    fn tell(&mut self, tell: impl FnOnce(&mut H::Session)) {
        if !self.line.failed {
            let Self { line, session, .. } = self;
            line.call(|| tell(session));
        }
    }

    async fn answer(&mut self, question: Question) {
        let Self { line, session, .. } = self;
        match question.ask() {
            Ask::Lhlo(name) => {
                let made = line.made(session.lhlo(name)).await;
                line.settle(question, made);
            }
            Ask::Mail(_, from, params) => {
                let made = line.made(session.mail(from, params)).await;
                if let Some(Ask::Mail(id, from, params)) = line.settle(question, made) {
                    self.incoming = Some(Begun { id, from, params, to: Vec::new() });
                }
            }
            Ask::Rcpt(_, _, to, params) => {
                let made = line.made(session.rcpt(to, params)).await;
                if let (Some(Ask::Rcpt(_, _, to, params)), Some(incoming)) =
                    (line.settle(question, made), &mut self.incoming)
                {
                    incoming.to.push((to, params));
                }
            }
            Ask::Data(_) => {
                let made = line.made(session.data()).await;
                if line.settle(question, made).is_some() {
                    self.deliver().await;
                }
            }
            Ask::Auth(name, _) => {
                self.mechanism = line.call(|| session.mechanism(name)).flatten();
                self.authenticate(question);
            }
            Ask::AuthResponse(_) => self.authenticate(question),
            Ask::Xclient(attributes) => {
                let made = line.made(session.xclient(attributes)).await;
                line.settle(question, made);
            }
            Ask::Xforward(attributes) => {
                let made = line.made(session.xforward(attributes)).await;
                line.settle(question, made);
            }
            // Who serves this client is known; and what nobody knows is not granted.
            _ => line.server().give_up(),
        }
    }

    async fn deliver(&mut self) {
        let Some(Begun { id, from, params, to }) = self.incoming.take() else { return };
        let Ok(envelope) = Envelope::with_recipients(from, to) else { return };
        let envelope = envelope.with_params(params.clone());
        let (ending, traced) = deliver(self.line, &mut self.session, id, envelope, params, self.patience).await;
        if let Some(ending) = ending {
            self.tell(|session| session.over(&ending));
        }
        if let Some(name) = traced {
            self.tell(|session| session.trace(&name));
        }
    }

    /// Hands what the client says to its mechanism.
    fn authenticate(&mut self, question: Question) {
        let Self { line, session, mechanism, .. } = self;
        let Some(mechanism) = mechanism else {
            line.settle(question, Made::Answer(Err(Reply::no_such_mechanism())));
            return;
        };
        let was = line.server().identity().cloned();
        let Line { machine, .. } = &mut **line;
        let step = AssertUnwindSafe(|| _ = machine.inner_mut().authenticate(question, mechanism.as_mut()));
        if catch_unwind(step).is_err() {
            return line.fail();
        }
        let identity = line.server().identity().cloned();
        if let Some(identity) = identity.filter(|identity| was.as_ref() != Some(identity)) {
            line.call(|| session.authenticated(&identity));
        }
    }
}
