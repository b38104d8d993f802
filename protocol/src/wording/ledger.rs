//! What an audit finds of a ledger.

use chancery_certs::rfc3339;
use chancery_crypto::{Language, say};

use crate::{EntryFact, FileFact, LedgerFact, TimesFact, time_proof::WITNESSES_NEEDED};

impl LedgerFact {
    /// What was found, in a sentence.
    pub fn say(&self, language: Language) -> String {
        match self {
            Self::Sealed { size } => say!(
                language,
                ("the checkpoint of {size} entries is sealed"),
                ("含 {size} 条的检查点已加盖印章")
            ),
            Self::CheckpointRefused(error) => error.say(language),
            Self::SealValid { agency } => {
                say!(language, ("the seal of {agency} is valid"), ("{agency} 的印章有效"))
            }
            Self::OldSealElsewhere { subject } => say!(
                language,
                ("an older seal is that of {subject:?}, not of this agency"),
                ("旧印章属于“{subject}”，不属于本机关")
            ),
            Self::HistoryOrder { size } => say!(
                language,
                ("the checkpoint of {size} entries stands at the wrong place of the history"),
                ("{size} 条的检查点在历史中位置有误")
            ),
            Self::HistoryBroken { after, error } => {
                let error = error.say(language);
                say!(
                    language,
                    ("the checkpoint after that of {after} entries does not hold: {error}"),
                    ("{after} 条之后的检查点不成立：{error}")
                )
            }
            Self::OwnWitness { witness } => say!(
                language,
                ("{witness} cosigned its own ledger; that is no witness"),
                ("{witness} 为自己的账本作了见证签名，不算见证")
            ),
            Self::WitnessPath(error) => {
                let error = error.say(language);
                say!(language, ("a witness is not believed: {error}"), ("见证人不可信：{error}"))
            }
            Self::CosignatureBroken(error) => {
                let error = error.say(language);
                say!(
                    language,
                    ("a witness's cosignature does not hold: {error}"),
                    ("见证签名不成立：{error}")
                )
            }
            Self::PastWitness(error) => {
                let error = error.say(language);
                say!(
                    language,
                    ("a witness of the history is not believed: {error}"),
                    ("历史见证人不可信：{error}")
                )
            }
            Self::StatementMissing { witness, size } => say!(
                language,
                ("the statement by which {witness} has cosigned {size} entries is not there"),
                ("{witness} 见证签名 {size} 条所依据的声明不在")
            ),
            Self::PastCosignatureBroken { size, witness, error } => {
                let error = error.say(language);
                say!(
                    language,
                    ("at {size} entries the cosignature of {witness} does not hold: {error}"),
                    ("{size} 条时 {witness} 的见证签名不成立：{error}")
                )
            }
            Self::PastRoot { size } => say!(
                language,
                ("at {size} entries the root is not that of the checkpoint sealed then"),
                ("{size} 条时的根摘要与当时封存的检查点不符")
            ),
            Self::CosignedRoot { size, witness } => say!(
                language,
                ("at {size} entries the root is not the one that {witness} cosigned"),
                ("{size} 条时的根摘要不是 {witness} 见证签名的那个")
            ),
            Self::HeldRoot { size, root, holder, held } => say!(
                language,
                ("at {size} entries the root is {root}, but {holder} holds a sealed checkpoint with {held}"),
                ("{size} 条时的根摘要为 {root}，但 {holder} 持有根摘要为 {held} 的已盖章检查点")
            ),
            Self::LineBroken(error) => {
                let error = error.say(language);
                say!(
                    language,
                    ("a signature line in the checkpoint does not hold: {error}"),
                    ("检查点中的一行签名不成立：{error}")
                )
            }
            Self::LineOfOtherKey { name } => say!(
                language,
                ("a signature line in the checkpoint is of another key of {name:?}"),
                ("检查点中有一行签名出自“{name}”的另一密钥")
            ),
            Self::UnknownLines { count, first } => say!(
                language,
                ("{count} signature lines in the checkpoint are of keys that are not here and were \
                  not looked at (the first of {first:?})"),
                ("检查点中有 {count} 行签名的密钥不在其中，未作检验（首行属“{first}”）")
            ),
            Self::SizeDiffers { sealed, read } => say!(
                language,
                ("the checkpoint seals {sealed} entries, {read} are there"),
                ("检查点封存了 {sealed} 条，实有 {read} 条")
            ),
            Self::RootDiffers { root, sealed } => say!(
                language,
                ("the entries give the root {root}, sealed was {sealed}"),
                ("条目算得根摘要 {root}，封存的是 {sealed}")
            ),
            Self::RootHolds { size } => say!(
                language,
                ("all {size} entries give the sealed root"),
                ("全部 {size} 条与封存的根摘要一致")
            ),
            Self::CosignedMore { read, witness, size } => say!(
                language,
                ("the ledger has {read} entries, but {witness} has cosigned {size}"),
                ("账本有 {read} 条，但 {witness} 已见证签名 {size} 条")
            ),
            Self::PastCosignedMore { read, size } => say!(
                language,
                ("the ledger has {read} entries, and a witness has cosigned {size}"),
                ("账本有 {read} 条，而有见证人已见证签名 {size} 条")
            ),
            Self::HistoryEnds { through, size } => say!(
                language,
                ("the history of checkpoints ends at {through} entries, sealed are {size}"),
                ("检查点历史止于 {through} 条，已封存 {size} 条")
            ),
            Self::HistorySealsMore { read, size } => say!(
                language,
                ("the ledger has {read} entries, but its history seals {size}"),
                ("账本有 {read} 条，但其历史封存了 {size} 条")
            ),
            Self::ReceiptBeyond { read, holder, index, hash, size } => say!(
                language,
                ("the ledger has {read} entries, but {holder} holds its sealed receipt for entry \
                  {index} (leaf hash {hash}) in a ledger of {size}"),
                ("账本有 {read} 条，但 {holder} 持有其第 {index} 条（叶摘要 {hash}）的已盖章回执，当时账本有 {size} 条")
            ),
            Self::SeenBeyond { read, holder, size } => say!(
                language,
                ("the ledger has {read} entries, but {holder} has seen its sealed checkpoint of {size}"),
                ("账本有 {read} 条，但 {holder} 见过其 {size} 条时的已盖章检查点")
            ),
        }
    }
}

impl EntryFact {
    /// What was found, in a sentence.
    pub fn say(&self, language: Language) -> String {
        match self {
            Self::NotTheReceipted { index } => say!(
                language,
                ("entry {index} is not the one that a receipt was given for"),
                ("第 {index} 条不是已出具回执的那一条")
            ),
            Self::EntryUnreadable { index, error } => {
                let error = error.say(language);
                say!(
                    language,
                    ("entry {index} cannot be read: {error}"),
                    ("第 {index} 条无法读取：{error}")
                )
            }
            Self::PurgedTwice { index, envelope, first } => say!(
                language,
                ("entry {index} purges {envelope} as entry {first} does"),
                ("第 {index} 条与第 {first} 条重复清除信封 {envelope}")
            ),
            Self::EndedTwice { index, envelope, other, event, first } => {
                let event = event.name();
                say!(
                    language,
                    ("entry {index} ends the delivery of {envelope} to {other} by {event}; entry \
                      {first} has ended it before"),
                    ("第 {index} 条以 {event} 结束信封 {envelope} 向 {other} 的投递，第 {first} 条已结束过")
                )
            }
            Self::RecordedTwice { index, envelope, event, first } => {
                let event = event.name();
                say!(
                    language,
                    ("entry {index} records {event} of {envelope} a second time, after entry {first}"),
                    ("第 {index} 条就信封 {envelope} 重复记录了第 {first} 条的 {event}")
                )
            }
            Self::OtherDocument { index, envelope } => say!(
                language,
                ("entry {index} has another document in {envelope} than earlier entries"),
                ("第 {index} 条所记信封 {envelope} 中的文件与先前条目不同")
            ),
            Self::RefusedEnvelope { index } => say!(
                language,
                ("entry {index} refuses a submission and names an envelope"),
                ("第 {index} 条不予受理，却指明了信封")
            ),
            Self::NeverSubmitted { index, envelope } => say!(
                language,
                ("entry {index} ends the delivery of {envelope}, never submitted"),
                ("第 {index} 条结束了从未提交的信封 {envelope} 的投递")
            ),
            Self::NoEvidence { index } => {
                say!(language, ("entry {index} names no evidence"), ("第 {index} 条未指明证据"))
            }
            Self::NeverArrived { index, envelope, event } => {
                let event = event.name();
                say!(
                    language,
                    ("entry {index} records {event} of {envelope}, which never came in"),
                    ("第 {index} 条就从未收到的信封 {envelope} 记录了 {event}")
                )
            }
            Self::NeverHere { index, envelope } => say!(
                language,
                ("entry {index} purges {envelope}, which was never here"),
                ("第 {index} 条清除了从未存在的信封 {envelope}")
            ),
            Self::NoOrder { index } => {
                say!(language, ("entry {index} names no order"), ("第 {index} 条未指明清除令"))
            }
            Self::UnknownEvent { index, event } => {
                let event = event.as_str();
                say!(
                    language,
                    ("entry {index} is of the event {event:?}, which is unknown here: a newer version may know it"),
                    ("第 {index} 条的事件“{event}”在本版本中未知，较新版本可能可以识别")
                )
            }
            Self::WrongEntry { index } => say!(
                language,
                ("entry {index} does not have the hash in its tile"),
                ("第 {index} 条的摘要与其树块中的不符")
            ),
            Self::EvidenceElsewhere { index } => say!(
                language,
                ("entry {index} rests on evidence of something else"),
                ("第 {index} 条所依据的证据属于别的内容")
            ),
            Self::EvidenceMissing { index } => say!(
                language,
                ("the evidence that entry {index} speaks of is not there"),
                ("第 {index} 条所指的证据不在")
            ),
            Self::OrderElsewhere { index } => say!(
                language,
                ("entry {index} follows an order that does not speak of its envelope"),
                ("第 {index} 条所依据的清除令未提及其信封")
            ),
            Self::OrderPath { index, error } => {
                let error = error.say(language);
                say!(
                    language,
                    ("the order that entry {index} follows: {error}"),
                    ("第 {index} 条所依据的清除令：{error}")
                )
            }
            Self::OrderBroken { index, error } => {
                let error = error.say(language);
                say!(
                    language,
                    ("the order that entry {index} follows does not hold: {error}"),
                    ("第 {index} 条所依据的清除令不成立：{error}")
                )
            }
            Self::OrderMissing { index } => say!(
                language,
                ("the order that entry {index} follows is not there"),
                ("第 {index} 条所依据的清除令不在")
            ),
        }
    }
}

impl TimesFact {
    /// What was found, in a sentence.
    pub fn say(&self, language: Language) -> String {
        match self {
            Self::FewWitnesses { witnesses } => say!(
                language,
                ("not enough witnesses to prove times: {witnesses} have cosigned, of at least \
                  {WITNESSES_NEEDED}"),
                ("见证人不足，无法证明时间：已有 {witnesses} 个见证签名，至少需 {WITNESSES_NEEDED} 个")
            ),
            Self::TimesFall { count, seconds, index, time } => {
                let at = rfc3339(*time);
                say!(
                    language,
                    ("{count} entries are earlier than one before them, by up to {seconds} s; the first is \
                      entry {index} of {at}"),
                    ("有 {count} 条早于其前条目，最多相差 {seconds} 秒；首条为第 {index} 条（{at}）")
                )
            }
            Self::TimesAhead { count, now, index, time } => {
                let (now, at) = (rfc3339(*now), rfc3339(*time));
                say!(
                    language,
                    ("{count} entries lie after the time of validation, {now}; the first is entry {index} of {at}"),
                    ("有 {count} 条晚于验证时间 {now}；首条为第 {index} 条（{at}）")
                )
            }
            Self::TimesBeforeSeal { count, index, time } => {
                let at = rfc3339(*time);
                say!(
                    language,
                    ("{count} entries claim to be older than the ledger's first seal; the first is entry \
                      {index} of {at}"),
                    ("有 {count} 条声称早于账本的首枚印章；首条为第 {index} 条（{at}）")
                )
            }
            Self::NotThereYet { index, time, after } => {
                let (at, after) = (rfc3339(*time), rfc3339(*after));
                say!(
                    language,
                    ("entry {index} says {at}, and at {after} its witnesses, in the middle, saw the \
                      ledger without it: its time is not proven"),
                    ("第 {index} 条称时间为 {at}，而多数见证人在 {after} 时所见账本尚无此条：其时间未获证明")
                )
            }
            Self::ThereAlready { index, time, before } => {
                let (at, before) = (rfc3339(*time), rfc3339(*before));
                say!(
                    language,
                    ("entry {index} says {at}, and at {before} its witnesses, in the middle, had seen \
                      it already: its time is not proven"),
                    ("第 {index} 条称时间为 {at}，而多数见证人在 {before} 时已见此条：其时间未获证明")
                )
            }
        }
    }
}

impl FileFact {
    /// What was found, in a sentence.
    pub fn say(&self, language: Language) -> String {
        match self {
            Self::Unexplained { what } => {
                say!(
                    language,
                    ("nothing in the ledger explains {what}"),
                    ("账本中没有任何内容说明 {what}")
                )
            }
            Self::CutOff { file } => {
                say!(language, ("{file} is cut off"), ("{file} 不完整，末尾被截断"))
            }
            Self::HoldsFork { agency, size } => say!(
                language,
                ("it holds the proof that the ledger of {agency} was forked before entry {size}"),
                ("其中存有 {agency} 的账本在第 {size} 条之前分叉的证明")
            ),
            Self::LaterCopy { holder, size } => say!(
                language,
                ("{holder} is a later copy of this ledger, of {size} entries"),
                ("{holder} 是该账本较晚的副本，有 {size} 条")
            ),
            Self::Forked { proof, holder, first, second } => say!(
                language,
                ("{proof} of {holder} proves that this ledger was forked: its seal has signed two \
                  histories, of {first} and of {second} entries, that exclude each other"),
                ("{holder} 的 {proof} 证明该账本已分叉：其印章签署了互相排斥的两段历史，分别为 {first} 条和 {second} 条")
            ),
            Self::HeldUnreadable { file, holder, why } => {
                let why = why.say(language);
                say!(
                    language,
                    ("{file} of {holder} cannot be read: {why}"),
                    ("{holder} 的 {file} 无法读取：{why}")
                )
            }
            Self::SeenBroken { file, error } => {
                let error = error.say(language);
                say!(language, ("{file} does not hold: {error}"), ("{file} 不成立：{error}"))
            }
            Self::Disbelieved { file, error } => {
                let error = error.say(language);
                say!(
                    language,
                    ("{file} is of a seal that is not believed: {error}"),
                    ("{file} 的印章不可信：{error}")
                )
            }
            Self::Unreadable { file, why } => {
                let why = why.say(language);
                say!(language, ("{file} cannot be read: {why}"), ("{file} 无法读取：{why}"))
            }
            Self::WrongTile { path } => {
                say!(language, ("{path} does not fit the entries"), ("{path} 与条目不符"))
            }
            Self::EvidenceUnreadable { file, error } => {
                let error = error.say(language);
                say!(
                    language,
                    ("the evidence {file:?} cannot be read: {error}"),
                    ("证据“{file}”无法读取：{error}")
                )
            }
            Self::EvidenceTwice { file } => say!(
                language,
                ("{file} is a second copy of an evidence"),
                ("{file} 是某份证据的重复副本")
            ),
            Self::EvidenceUnasked { file } => say!(
                language,
                ("no entry speaks of the evidence {file:?}"),
                ("没有条目提到证据“{file}”")
            ),
            Self::OrderTwice { file } => say!(
                language,
                ("{file} is a second copy of an order"),
                ("{file} 是某份清除令的重复副本")
            ),
            Self::OrderUnasked { file } => {
                say!(
                    language,
                    ("no entry follows the order {file:?}"),
                    ("没有条目依据清除令“{file}”")
                )
            }
            Self::Purged { envelope, time, officer } => {
                let at = rfc3339(*time);
                say!(
                    language,
                    ("the content of {envelope} was removed at {at} by order of {officer}"),
                    ("信封 {envelope} 的内容于 {at} 依 {officer} 的命令清除")
                )
            }
            Self::FromExport => say!(
                language,
                ("it was made from an export: it holds the ledger, and no documents"),
                ("由导出的账本生成：只含账本，不含公文")
            ),
        }
    }
}
