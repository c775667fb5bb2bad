//! What can be wrong with a server.

use crate::faults::faults;

faults! {
    /// What a [`Broken`](super::Broken) server does wrong.
;
    /// One final reply for all recipients.
    OneReply,
    /// A final reply too many.
    ReplyTooMany,
    /// No final reply for the last recipient, if there are more than one.
    ReplyTooFew,
    /// Final replies for refused recipients, too.
    AnswersRefused,
    /// One final reply for an address accepted twice.
    CollapsesDuplicates,
    /// One final reply after BDAT LAST.
    OneReplyToChunks,
    /// A final reply for each recipient after every BDAT.
    RepliesToEachChunk,
    /// An answer to BDAT LAST without recipients.
    AnswersEmptyLast,
    /// 354 to DATA without recipients.
    DataWithoutRecipients,
    /// The content ends at LF.LF.
    EndsAtLfDotLf,
    /// The content ends at LF.CRLF.
    EndsAtLfDotCrlf,
    /// The content ends at CRLF.LF.
    EndsAtCrlfDotLf,
    /// The content ends at CR.CR.
    EndsAtCrDotCr,
    /// A NUL in the end of the data is overlooked.
    IgnoresNulInEnd,
    /// Lines end at a bare LF.
    LfEndsCommands,
    /// A dot directly behind 354 does not end the content.
    MissesFirstDot,
    /// State is kept over RSET.
    RsetKeepsState,
    /// State is kept over LHLO.
    LhloKeepsState,
    /// Recipients are kept after the content.
    KeepsRecipients,
    /// EHLO is welcome.
    TakesEhlo,
    /// HELO is welcome.
    TakesHelo,
    /// MAIL before LHLO is taken.
    MailBeforeLhlo,
    /// A second MAIL is taken.
    NestedMail,
    /// The case of verbs matters.
    CaseMatters,
    /// QUIT does not close.
    QuitStays,
    /// QUIT is not answered.
    QuitSilent,
    /// An unknown verb closes.
    UnknownCloses,
    /// An unknown parameter is taken.
    TakesParameters,
    /// What was sent ahead is thrown away after an error.
    DropsPipelined,
    /// Enhanced codes are missing.
    NoEnhancedCodes,
    /// Enhanced codes are of another class than the reply.
    WrongEnhancedClass,
    /// PIPELINING is not offered.
    NoPipelining,
    /// Replies end with a bare LF.
    RepliesWithLf,
    /// A chunk is not read before it is refused.
    RefusedChunkIsRun,
    /// The null sender is refused.
    NoNullSender,
    /// LHLO needs no name.
    NamelessLhlo,
    /// No more than 50 recipients.
    FiftyRecipients,
    /// No more than 16 KiB.
    SmallMessages,
    /// DATA is taken after BDAT.
    DataAfterBdat,
    /// NOOP resets.
    NoopResets,
    /// Answers behind the content come in reverse.
    FinalsReversed,
    /// One who cannot be delivered to spoils it for all.
    OneRefusesAll,
    /// One who cannot be delivered to is answered as if he had been.
    HidesFailures,
    /// One recipient more is taken than is said.
    TakesOneMore,
    /// One recipient fewer is taken than is said.
    TakesOneLess,
    /// What came in clear behind STARTTLS is run within TLS.
    KeepsPlaintext,
    /// A client that was known before TLS is known within.
    KnowsClientWithin,
    /// Within TLS STARTTLS is offered and taken again.
    TlsWithin,
    /// STARTTLS may have an argument.
    StarttlsArgument,
}
