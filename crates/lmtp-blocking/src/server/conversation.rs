//! One session: what the machine asks is put to the application.

use std::sync::Arc;

use lmtp_proto::auth::{AuthError, Mechanism, Step};
use lmtp_proto::server::{Ask, Event, Peer, Question};
use lmtp_proto::value::{AuthResponse, ForwardPath, MailParams, RcptParams, ReversePath};
use lmtp_proto::{Envelope, Reply, TransactionId};

use super::line::Line;
use super::machine::{self, peer_tls};
use super::{Handler, Incoming, Message, Session, Verdicts};

/// A message whose content has not begun.
struct Begun {
    id: TransactionId,
    from: ReversePath,
    params: MailParams,
    to: Vec<(ForwardPath, RcptParams)>,
}

/// One session, from the first question to the end.
struct Conversation<'a, S> {
    line: &'a Arc<Line>,
    peer: &'a mut Peer,
    session: S,
    begun: Option<Begun>,
    mechanism: Option<Box<dyn Mechanism>>,
}

/// Serves one client to the end. With a refusal, it is turned away with that.
pub(super) fn converse<H: Handler>(line: &Arc<Line>, peer: &mut Peer, handler: &H, mut refusal: Option<Reply>) {
    while let Some(event) = line.next() {
        let Event::Question(question) = event else { continue };
        line.with(|machine| (peer.proxy, peer.tls) = (machine.header().cloned(), peer_tls(machine)));
        let mut session = None;
        let accepted = line.decide(question, |_| match refusal.take() {
            Some(refusal) => Err(refusal),
            None => handler.connect(peer).map(|made| session = Some(made)),
        });
        if let (Some(_), Some(session)) = (accepted, session) {
            return Conversation { line, peer, session, begun: None, mechanism: None }.run();
        }
    }
}

impl<S: Session> Conversation<'_, S> {
    fn run(mut self) {
        while let Some(event) = self.line.next() {
            match event {
                Event::Question(question) => self.answer(question),
                Event::Over(_, ending) => {
                    self.begun = None;
                    self.line.call(|| self.session.over(&ending));
                }
                Event::Trace(name) => {
                    self.line.call(|| self.session.trace(&name));
                }
                _ => {}
            }
        }
    }

    fn answer(&mut self, question: Question) {
        let Self { line, peer, session, .. } = self;
        match question.ask() {
            Ask::Auth(name, _) => {
                self.mechanism = line.call(|| session.mechanism(name)).flatten();
                return self.authenticate(question);
            }
            Ask::AuthResponse(_) => return self.authenticate(question),
            Ask::Lhlo(_) if peer.tls.is_none() => {
                peer.tls = line.with(|machine| peer_tls(machine)).flatten();
                if peer.tls.is_some() {
                    line.call(|| session.secured(peer));
                }
            }
            _ => {}
        }
        let accepted = line.decide(question, |ask| match ask {
            Ask::Lhlo(name) => session.lhlo(name),
            Ask::Mail(_, from, params) => session.mail(from, params),
            Ask::Rcpt(_, _, to, params) => session.rcpt(to, params),
            Ask::Data(_) => session.data(),
            Ask::Xclient(attributes) => session.xclient(attributes),
            Ask::Xforward(attributes) => session.xforward(attributes),
            // Who serves this client is known; and what nobody knows is not granted.
            _ => Err(Reply::try_again_later()),
        });
        match (accepted, &mut self.begun) {
            (Some(Ask::Mail(id, from, params)), begun) => {
                *begun = Some(Begun { id, from, params, to: Vec::new() });
            }
            (Some(Ask::Rcpt(_, _, to, params)), Some(begun)) => begun.to.push((to, params)),
            (Some(Ask::Data(_)), _) => self.deliver(),
            _ => {}
        }
    }

    fn deliver(&mut self) {
        let Some(Begun { id, from, params, to }) = self.begun.take() else { return };
        let Ok(envelope) = Envelope::with_recipients(from, to) else { return };
        let envelope = envelope.with_params(params.clone());
        let Self { line, session, .. } = self;
        line.begin(id);
        let verdicts = Verdicts::new(Arc::clone(line), id, envelope.recipients().len());
        let body = Incoming::new(Arc::clone(line), id);
        line.call(|| session.deliver(Message { id, envelope, params, body }, verdicts));
        line.finish();
    }

    /// Hands what the client says to its mechanism.
    fn authenticate(&mut self, question: Question) {
        let Self { line, session, mechanism, .. } = self;
        let Some(mechanism) = mechanism else {
            line.decide(question, |_| Err(Reply::no_such_mechanism()));
            return;
        };
        let heard = match question.ask() {
            Ask::Auth(_, initial) => initial.as_ref().map(AuthResponse::as_bytes),
            Ask::AuthResponse(response) => Some(response.as_bytes()),
            _ => None,
        };
        let Some(step) = line.call(|| mechanism.step(heard)) else { return };
        let identity = match &step {
            Ok(Step::Done(identity)) => Some(identity.clone()),
            _ => None,
        };
        let mut taken = Taken(Some(step));
        let answered = line.with(|machine| machine::server(machine).authenticate(question, &mut taken));
        if let (Some(Ok(())), Some(identity)) = (answered, identity) {
            line.call(|| session.authenticated(&identity));
        }
    }
}

/// A step of a mechanism that was taken already: it may take its time, and must not
/// while it holds the machine.
#[derive(Debug)]
struct Taken(Option<Result<Step, AuthError>>);

impl Mechanism for Taken {
    fn name(&self) -> &'static str {
        ""
    }

    fn reveals_secret(&self) -> bool {
        true
    }

    fn step(&mut self, _: Option<&[u8]>) -> Result<Step, AuthError> {
        self.0.take().unwrap_or(Err(AuthError::TooManySteps))
    }

    fn is_complete(&self) -> bool {
        false
    }
}
