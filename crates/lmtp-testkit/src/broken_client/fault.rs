//! What can be wrong with a client.

use crate::faults::faults;

faults! {
    /// What a broken client does wrong.
;
    /// One final reply is read, and taken for everybody's.
    OneReplyForAll,
    /// EHLO after LHLO was refused.
    TriesEhlo,
    /// EHLO on a new connection after LHLO was refused.
    TriesEhloAgain,
    /// Dots are not stuffed.
    NoStuffing,
    /// A dot at the beginning of the content is not stuffed.
    MissesFirstDot,
    /// A dot at the beginning of a block of 4096 octets is not stuffed.
    MissesDotAtBlock,
    /// The content goes out with DATA.
    ContentBefore354,
    /// Content is sent whatever DATA got.
    IgnoresDataReply,
    /// A 4yz is a success.
    DeliveredOn4yz,
    /// A 4yz is a failure for good.
    PermanentOn4yz,
    /// A 5yz is to be tried again.
    TemporaryOn5yz,
    /// When QUIT goes wrong all is failed.
    FailsWithQuit,
    /// A connection lost behind the dot is a failure for good.
    LostIsPermanent,
    /// A connection lost behind the dot is a success.
    LostIsDelivered,
    /// A connection lost behind the dot has sent nothing.
    LostIsUnsent,
    /// A connection lost between final replies takes those back that were read.
    LostTakesBack,
    /// Nobody is served once a RCPT is refused.
    StopsAtRefusedRcpt,
    /// A refused RCPT is waited for behind the content, too.
    CountsRefused,
    /// Line ends go as they are.
    BareLf,
    /// The last line is left without an end.
    NoLastLineEnd,
    /// An address given twice is said once.
    MergesDuplicates,
    /// DATA although no recipient was accepted.
    DataWithoutRecipient,
    /// Addresses go as they are.
    AnyAddress,
    /// 421 is no reply: the next one is.
    Ignores421,
    /// Final replies are taken from the last recipient to the first.
    MixesOrder,
    /// Final replies are taken in the order of the addresses.
    OrderByName,
    /// Each line is a reply.
    EachLineIsAReply,
    /// What does not come in one read is no reply.
    OneReadIsAReply,
    /// Commands go out in groups whatever is offered.
    AlwaysPipelines,
    /// MAIL goes out with LHLO.
    PipelinesLhlo,
    /// BODY=8BITMIME whatever is offered.
    AlwaysSaysBody,
    /// SIZE whatever is offered.
    AlwaysSaysSize,
    /// 8-bit content whatever is offered.
    AlwaysEightBit,
    /// Addresses in UTF-8 whatever is offered.
    AlwaysUtf8,
    /// SMTPUTF8 is never said.
    NeverSaysUtf8,
    /// Offers count in capitals only.
    OffersInCapitals,
    /// A reply without text is none.
    NeedsText,
    /// 250 is the only success.
    Only250,
    /// The enhanced code decides.
    EnhancedCodeDecides,
    /// A reply that names another recipient is that one's.
    TextDecides,
    /// A reply without an end counts when the connection is lost.
    HalfReplyCounts,
    /// It goes on after MAIL was refused.
    IgnoresMailReply,
    /// A blank behind the colon.
    BlankBehindColon,
    /// It never takes leave.
    NoQuit,
    /// Local-parts are lowered.
    LowersLocalPart,
    /// Whoever was refused at RCPT is not reported.
    ForgetsRefused,
    /// Nobody waits for the greeting.
    SpeaksFirst,
    /// The time-out begins anew with each octet.
    TimeoutPerRead,
    /// The same, and a reply may be as long as it likes.
    NoLimits,
    /// LHLO without a name.
    NamelessLhlo,
    /// A late final reply is a failure for good.
    LateIsPermanent,
    /// A late final reply is a success.
    LateIsDelivered,
    /// The first refusal behind the content is everybody's.
    OneRefusalForAll,
    /// The null sender is said as nothing at all.
    NoNullSender,
    /// A greeting of any kind will do.
    AnyGreeting,
    /// AUTH, where nobody asked for it.
    AsksForAuth,
}
