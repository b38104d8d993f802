//! All stable error codes, in both languages: for `chancery explain`, for messages in Chinese, and
//! for the table in the documentation.

/// A stable error code.
#[derive(Debug)]
pub(crate) struct Code {
    pub code: &'static str,
    /// What it means, in English and Chinese.
    pub means: [&'static str; 2],
    /// What to do, in English and Chinese.
    pub remedy: [&'static str; 2],
}

const fn code(code: &'static str, means: [&'static str; 2], remedy: [&'static str; 2]) -> Code {
    Code { code, means, remedy }
}

/// What the first digit of a code says.
#[cfg(test)]
const GROUPS: [(&str, &str, &str); 7] = [
    ("1", "Cryptography", "密码"),
    ("2", "Names and certificates", "名称与证书"),
    ("3", "Documents, envelopes, ledgers", "公文、信封与账本"),
    ("4", "The node and its surroundings", "节点与运行环境"),
    ("5", "Refusals by a peer", "对方节点的拒收"),
    ("6", "The command line", "命令行"),
    ("7", "Application modules", "应用模块"),
];

/// Every code there is.
#[rustfmt::skip]
pub(crate) const CODES: &[Code] = &[
    code("CHY-1001", ["the operating system gives no random bytes", "操作系统无法提供随机数"],
        ["The operating system is not sound; try again later.", "操作系统异常，请稍后重试。"]),
    code("CHY-1002", ["a private key cannot be read", "私钥无法读取"],
        ["Give a PKCS#8 file, PEM or DER, with a P-256, P-384 or Ed25519 key.", "请提供 PKCS#8 格式（PEM 或 DER）的 P-256、P-384 或 Ed25519 私钥文件。"]),
    code("CHY-1003", ["a private key is encrypted, and no passphrase was given", "私钥已加密，但未提供口令"],
        ["Give --passphrase-file FILE, or set CHANCERY_PASSPHRASE, or use a terminal.", "用 --passphrase-file 指定口令文件，或设置 CHANCERY_PASSPHRASE，或在终端中输入。"]),
    code("CHY-1004", ["the passphrase is wrong", "口令错误"],
        ["Check the passphrase.", "请核对口令。"]),
    code("CHY-1005", ["a public key cannot be used", "公钥不可用"],
        ["Use a P-256, P-384 or Ed25519 key.", "请使用 P-256、P-384 或 Ed25519 公钥。"]),
    code("CHY-1006", ["a signature is wrong", "签名无效"],
        ["Do not rely on it; ask the sender for it again.", "不可采信，请向发送方重新索取。"]),
    code("CHY-1007", ["a signature names an algorithm that does not fit the key", "签名算法与密钥不符"],
        ["Do not rely on it; ask the sender for it again.", "不可采信，请向发送方重新索取。"]),
    code("CHY-1008", ["a COSE structure is malformed", "COSE 结构有误"],
        ["Check that this is the right file; if it is, ask for it again.", "请确认文件无误；若无误，请重新索取。"]),
    code("CHY-1009", ["the bytes are no deterministic CBOR", "数据不是确定性 CBOR 编码"],
        ["Check that this is the right file; if it is, ask for it again.", "请确认文件无误；若无误，请重新索取。"]),
    code("CHY-1010", ["a content key cannot be opened", "内容密钥无法解开"],
        ["It is not for this recipient, or was altered on the way.", "收件机关不符，或内容在途中被改动。"]),
    code("CHY-1011", ["a chunk of the ciphertext is altered, missing or out of place", "密文分块被改动、缺失或错位"],
        ["Do not rely on it; ask the sender for it again.", "不可采信，请向发送方重新索取。"]),
    code("CHY-1012", ["a cryptographic operation failed", "密码运算失败"],
        ["Do not rely on it; ask the sender for it again.", "不可采信，请向发送方重新索取。"]),
    code("CHY-1013", ["CBOR items are nested too deeply", "CBOR 嵌套过深"],
        ["Check that this is the right file; if it is, ask for it again.", "请确认文件是否正确；若正确，请重新索取。"]),
    code("CHY-1014", ["a CBOR item is too large", "CBOR 数据过大"],
        ["Check that this is the right file; if it is, ask for it again.", "请确认文件是否正确；若正确，请重新索取。"]),
    code("CHY-1015", ["a signed structure holds more than a verifier works through", "签名结构所含项目超出验证上限"],
        ["Check that this is the right file; if it is, ask for it again.", "请确认文件是否正确；若正确，请重新索取。"]),
    code("CHY-1016", ["a newer version is needed", "需要较新的版本"],
        ["Use a newer version of chancery; nothing is wrong with what was given.", "请使用较新版本的 chancery；所提供的内容本身没有问题。"]),

    code("CHY-2001", ["a name is not well-formed", "名称格式有误"],
        ["Write agencies as justice.gov.cn, officers as li@justice.gov.cn.", "机关写作 justice.gov.cn，人员写作 li@justice.gov.cn。"]),
    code("CHY-2002", ["a certificate is malformed", "证书格式有误"],
        ["Give an X.509 certificate in PEM or DER.", "请提供 PEM 或 DER 格式的 X.509 证书。"]),
    code("CHY-2003", ["there is no certificate in it", "其中没有证书"],
        ["Give an X.509 certificate in PEM or DER.", "请提供 PEM 或 DER 格式的 X.509 证书。"]),
    code("CHY-2004", ["the authority may not issue this", "该签发机构无权签发此证书"],
        ["Ask for a name, depth and validity that lie within the CA's own.", "名称、层级与有效期须在签发机构自身范围之内。"]),
    code("CHY-2005", ["what would be issued would not verify", "拟签发的证书无法通过验证"],
        ["Ask for a name, depth and validity that lie within the CA's own.", "名称、层级与有效期须在签发机构自身范围之内。"]),
    code("CHY-2006", ["a value in a certificate is not possible", "证书中的值不合规定"],
        ["Check the display name and the other values that were given.", "请核对显示名称及其他参数。"]),
    code("CHY-2007", ["a CMS structure is not acceptable", "CMS 结构不可接受"],
        ["Ask the signer or the time-stamping authority for it again.", "请向签署人或时间戳机构重新索取。"]),
    code("CHY-2008", ["a time-stamp, or an answer about one, is not acceptable", "时间戳或其应答不可接受"],
        ["Ask the signer or the time-stamping authority for it again.", "请向签署人或时间戳机构重新索取。"]),
    code("CHY-2010", ["a certificate chain does not verify", "证书链验证不通过"],
        ["Check the certificates and the trust anchor; ask the signer's CA if they are right.", "请核对证书与信任锚；若无误，请联系签发机构。"]),
    code("CHY-2011", ["a sealed object is of another kind", "签章对象类型不符"],
        ["Check the certificates and the trust anchor; ask the signer's CA if they are right.", "请核对文件是否正确，再核对证书与信任锚。"]),
    code("CHY-2012", ["a sealed object has another signer than it must have", "签章人与规定不符"],
        ["Check the certificates and the trust anchor; ask the signer's CA if they are right.", "请核对证书与信任锚；若无误，请联系签发机构。"]),
    code("CHY-2013", ["what is sealed is not acceptable", "签章内容不可接受"],
        ["Check the certificates and the trust anchor; ask the signer's CA if they are right.", "请核对证书与信任锚；若无误，请联系签发机构。"]),
    code("CHY-2020", ["a certificate revocation list cannot be read", "吊销列表无法读取"],
        ["Give a revocation list as its CA made it, in PEM or DER.", "请提供签发机构原样签发的 PEM 或 DER 格式吊销列表。"]),

    code("CHY-3001", ["a document's header is not acceptable", "公文版头不合规定"],
        ["Correct the document's header.", "请更正公文版头。"]),
    code("CHY-3002", ["a document's content is not well-formed", "公文内容格式有误"],
        ["Do not rely on the content; ask the sender for it again.", "内容不可采信，请向发送方重新索取。"]),
    code("CHY-3003", ["a part does not have the digest that was signed", "附件摘要与签名时不符"],
        ["Do not rely on the content; ask the sender for it again.", "内容不可采信，请向发送方重新索取。"]),
    code("CHY-3004", ["an envelope is not acceptable", "信封不可接受"],
        ["Report it to the operator of the sending node.", "请告知发送方节点的运维人员。"]),
    code("CHY-3005", ["a checkpoint is not acceptable", "账本检查点不可接受"],
        ["Keep it as proof and report it to the agency whose ledger it is.", "请留存作为证据，并告知账本所属机关。"]),
    code("CHY-3006", ["a ledger proof does not hold", "账本证明不成立"],
        ["Keep it as proof and report it to the agency whose ledger it is.", "请留存作为证据，并告知账本所属机关。"]),
    code("CHY-3007", ["a receipt does not hold", "回执不成立"],
        ["Keep it as proof and report it to the agency whose ledger it is.", "请留存作为证据，并告知账本所属机关。"]),
    code("CHY-3008", ["a message does not belong here", "消息不合协议"],
        ["Report it to the operator of the sending node.", "请告知发送方节点的运维人员。"]),

    code("CHY-3009", ["a container is not acceptable", "容器不可接受"],
        ["Ask for the container again, or for the documents in another form.", "请重新索取该容器，或索取其他形式的文件。"]),
    code("CHY-3010", ["it is no encrypted file, or its header is malformed", "不是加密文件，或文件头格式有误"],
        ["Give a file that `chancery encrypt` made.", "请提供由 chancery encrypt 生成的文件。"]),
    code("CHY-3011", ["an encrypted file is cut off", "加密文件被截断"],
        ["Nothing was written. Ask the sender for the file again.", "未写入任何内容。请向发送方重新索取。"]),
    code("CHY-3012", ["bytes follow the end of an encrypted file", "加密文件末尾有多余字节"],
        ["Nothing was written. Ask the sender for the file again.", "未写入任何内容。请向发送方重新索取。"]),
    code("CHY-3013", ["a chunk of an encrypted file stands in another's place", "加密文件的分块次序被调换"],
        ["Nothing was written. Ask the sender for the file again.", "未写入任何内容。请向发送方重新索取。"]),
    code("CHY-3014", ["a chunk of an encrypted file was taken from another file", "加密文件中混入了别的文件的分块"],
        ["Nothing was written. Ask the sender for the file again.", "未写入任何内容。请向发送方重新索取。"]),
    code("CHY-3015", ["a chunk of an encrypted file was altered", "加密文件的分块被改动"],
        ["Nothing was written. Ask the sender for the file again.", "未写入任何内容。请向发送方重新索取。"]),
    code("CHY-3016", ["the file is not encrypted to this key, or its header was altered", "文件不是加密给此密钥的，或文件头被改动"],
        ["Give the key of an agency that it was encrypted to, or ask the sender who that is.", "请使用收件机关的密钥，或向发送方核实收件机关。"]),
    code("CHY-3017", ["the header of an encrypted file was altered", "加密文件的文件头被改动"],
        ["Nothing was written. Ask the sender for the file again.", "未写入任何内容。请向发送方重新索取。"]),
    code("CHY-3020", ["a container holds what is not read here", "容器含有此处无法读取的内容"],
        ["Ask for the container again, or for the documents in another form.", "请重新索取该容器，或索取其他形式的文件。"]),

    code("CHY-3040", ["the time of an evidence is not proven", "证据的时间未得到证明"],
        ["Compare the clocks of the agencies; nothing is taken for false by it.", "请核对各机关的时钟；这并不表示内容不实。"]),
    code("CHY-3050", ["a classification is none of those that there are, or has a secrecy period that it cannot have", "密级不在规定范围内，或保密期限有误"],
        ["Write 绝密, 机密, 秘密, 内部 or none, and the secrecy period apart from it or behind a star: 机密★10年.", "请写绝密、机密、秘密、内部或 none；保密期限另行给出，或写在星号之后，如机密★10年。"]),

    code("CHY-4001", ["a file or socket cannot be used", "文件或套接字无法使用"],
        ["Check that the path exists and that you may use it.", "请确认路径存在且有权限；若是套接字，请确认节点已启动。"]),
    code("CHY-4002", ["the configuration is not right", "配置有误"],
        ["Correct the file; docs/operators.md lists all settings.", "请更正配置文件；全部设置见 docs/operators.md。"]),
    code("CHY-4003", ["a private key may be read by others", "私钥文件可被他人读取"],
        ["Run `chmod 600` on it.", "请对其执行 chmod 600。"]),
    code("CHY-4004", ["the store failed", "存储失败"],
        ["Check the disk (space, permissions); nothing unacknowledged was kept.", "请检查磁盘空间与权限；未确认的内容均未写入。"]),
    code("CHY-4005", ["the store is damaged", "存储已损坏"],
        ["Stop the node, keep the data as it is, and restore from a backup.", "请停止节点，保留现场，并从备份恢复。"]),
    code("CHY-4006", ["the node is shutting down", "节点正在停止"],
        ["Try again once the node is up.", "请待节点启动后重试。"]),
    code("CHY-4007", ["a connection to a peer failed", "与对方节点的连接失败"],
        ["Check the address and the network; delivery goes on by itself.", "请检查地址与网络；投递会自动继续。"]),
    code("CHY-4008", ["an agency is not in the directory", "目录中没有该机关"],
        ["Check the name with `chancery node status`, or ask the registrar for a newer directory.", "请用 chancery node status 核对名称，或向注册机关索取新目录。"]),
    code("CHY-4009", ["a directory is older than the one that is held", "目录版本低于现有版本"],
        ["Ask the registrar for the newest directory.", "请向注册机关索取最新目录。"]),
    code("CHY-4010", ["a clerk's document is not accepted", "提交的公文未被受理"],
        ["Correct the document or the signer and send it again.", "请更正公文或签名人后重新发送。"]),
    code("CHY-4011", ["nothing here has an id that starts so", "没有以此编号开头的公文"],
        ["Look the id up with `chancery inbox` or `chancery outbox`.", "请用 chancery inbox 或 chancery outbox 查询编号。"]),
    code("CHY-4012", ["more than one document has an id that starts so", "有多份公文的编号以此开头"],
        ["Give more digits of the id.", "请输入更多位编号。"]),
    code("CHY-4013", ["TLS cannot be set up", "TLS 无法建立"],
        ["Check the node's certificate and key.", "请检查节点证书与私钥。"]),
    code("CHY-4014", ["the store was written by a newer program", "存储由更新版本的程序写入"],
        ["Use the newer program; the store was left as it is.", "请使用新版程序；存储未被改动。"]),
    code("CHY-4015", ["the store was changed by another writer", "存储已被另一写入者修改"],
        ["Make sure that only one node uses the store, and try again.", "请确认只有一个节点使用该存储后重试。"]),
    code("CHY-4016", ["a peer's ledger is forked", "对方账本已分叉"],
        ["Keep the proof in data/forks, stop trusting the ledger, and tell the registrar.", "请保存 data/forks 中的证明，停止信任该账本，并告知注册机关。"]),

    code("CHY-4017", ["a backup is not whole", "备份不完整"],
        ["Use another backup; nothing was restored.", "请使用其他备份；未恢复任何内容。"]),
    code("CHY-4018", ["a rule of the node does not permit it", "节点规则不允许"],
        ["Ask somebody who may, or the operator to change the rule in node.toml.", "请由有权人员办理，或请运维人员修改 node.toml 中的规则。"]),
    code("CHY-4019", ["the content was purged by order", "内容已依令清除"],
        ["See who ordered it and why with `chancery ledger export` and `chancery audit`.", "可用 `chancery ledger export` 和 `chancery audit` 查看清除令及其理由。"]),
    code("CHY-4020", ["the sender has withdrawn the document", "发件机关已撤回该文件"],
        ["Do not act on it; ask the sender if that is not understood.", "请勿据此办理；如有疑问，请向发件机关核实。"]),

    code("CHY-4021", ["an idempotency key was used before, for another request", "幂等键已被另一请求使用"],
        ["Use a new key for a new request.", "新的请求请使用新的幂等键。"]),
    code("CHY-4022", ["a request by HTTP is not of the form that it should have", "HTTP 请求格式有误"],
        ["Correct the request; /v1/openapi.json describes every one.", "请更正请求，各请求的格式见 /v1/openapi.json。"]),
    code("CHY-4023", ["it is not known who asks by HTTP", "无法确认 HTTP 请求者身份"],
        ["Send `Authorization: Bearer TOKEN`; the operator makes one with `chancery node token`.", "请携带 Authorization: Bearer 令牌；令牌由运维人员用 chancery node token 生成。"]),
    code("CHY-4026", ["the registrar has signed two directories of one version", "注册机关签发了两份版本号相同而内容不同的目录"],
        ["Keep both (they are in data/directories), and ask the registrar and its superior which one is right.", "请保留两份（位于 data/directories），并向注册机关及其上级核实以哪一份为准。"]),
    code("CHY-4030", ["the clock of the node is known to be wrong, so that nothing is sealed", "已知节点时钟有误，暂停封存"],
        ["Set the clock of the machine that is wrong (`chronyc tracking`, `timedatectl`; `chancery node status` shows each peer's); the node goes on by itself.", "请校正有误的机器时钟（chronyc tracking、timedatectl；chancery node status 列出各对等节点的差异），节点会自动恢复。"]),
    code("CHY-4031", ["a peer's receipt is of a time that has not come yet", "对方回执的时间尚未到来"],
        ["Tell the operator of the one whose clock is wrong; delivery goes on by itself.", "请通知时钟有误一方的运维人员；投递会自动继续。"]),
    code("CHY-4040", ["there is no room on a disk", "磁盘空间不足"],
        ["Make room on the disk that is named; nothing of this was kept. A node goes on by itself.", "请为所指磁盘腾出空间；本次内容未写入。节点会自动恢复。"]),
    code("CHY-4041", ["the ledger that the node has begun is not in its data folder", "数据目录中没有本节点已开始的账本"],
        ["Mount the disk that holds it, or see \"A lost disk\" in docs/operators.md; nothing was begun or changed.", "请挂载存放账本的磁盘，或参见 docs/operators.md 中的 A lost disk；未新建或改动任何内容。"]),
    code("CHY-4042", ["the node's ledger is older than it was seen to be, or another, so that nothing is sealed", "节点账本落后于他方所见，或与之不符，暂停封存"],
        ["Put the newest data folder back (the lost disk's, or a newer backup); see \"A lost disk\" in docs/operators.md.", "请放回最新的数据目录（原磁盘上的，或更新的备份）；参见 docs/operators.md 中的 A lost disk。"]),
    code("CHY-4043", ["the node does not know yet how far its ledger was seen to go, so that nothing is sealed", "尚未确认他方所见的本节点账本进度，暂不封存"],
        ["Connect the node to one of its peers; it goes on by itself. See \"A lost disk\" in docs/operators.md.", "请让节点连上任一对等节点，之后会自动恢复；参见 docs/operators.md 中的 A lost disk。"]),
    code("CHY-4044", ["a peer's receipt is of a ledger that was rolled back or begun anew", "对方回执出自被回退或重新开始的账本"],
        ["Tell the operator of that agency's node; the document is delivered when its ledger is back.", "请通知该机关节点的运维人员；其账本恢复后，文件会自动送达。"]),
    code("CHY-4050", ["a part of the node ended that never should; the node stops", "节点的一项任务意外终止，节点随之停止"],
        ["Start the node again (systemd does it by itself), and report it with the node's log.", "请重新启动节点（systemd 会自动重启），并连同节点日志报告此问题。"]),
    code("CHY-4051", ["somebody has as many requests under way as one may have", "同一调用者进行中的请求已达上限"],
        ["Let some of them end, and try again.", "请待部分请求结束后重试。"]),
    code("CHY-4052", ["a port cannot be listened on", "无法监听端口"],
        ["See who uses the port (`ss -lptun`), or set another address.", "请查明端口被谁占用（ss -lptun），或另设地址。"]),
    code("CHY-4060", ["the node's database or object store does not answer, or asks to try again", "节点的数据库或对象存储无响应，或要求重试"],
        ["Check it and the network to it; nothing of this was kept. A node goes on by itself.", "请检查其状态及网络；此次内容未保存。节点会自动继续。"]),
    code("CHY-4061", ["another process writes to the node's store, or the store was copied to another", "另一个进程正在写入该节点的存储，或该存储已复制到他处"],
        ["Nothing is wrong when a standby was to take over; else see which other process has this agency's configuration, or start the node with the one that it was copied to.", "若本应由备用进程接管，则属正常；否则请查明还有哪个进程使用本机关的配置，或用复制后的配置启动节点。"]),
    code("CHY-4062", ["the storage engine does not do that", "该存储引擎不支持此操作"],
        ["Use what the message names instead.", "请改用消息中指出的办法。"]),
    code("CHY-4063", ["a setting of the store is wrong, or the database is not set up as it must be", "存储设置有误，或数据库未按要求配置"],
        ["Correct the setting; docs/operators.md has the whole set-up.", "请更正设置；完整步骤见 docs/operators.md。"]),
    code("CHY-5000", ["a peer refuses and gives no code", "对方拒收，未说明代码"],
        ["Ask the operator of that agency's node.", "请联系对方节点的运维人员。"]),
    code("CHY-5001", ["the envelope is offered by an agency that is neither its sender nor a relay on its way", "递送机关既不是信封的发件机关，也不是途中的转递机关"],
        ["Delivery goes on by itself once the recipient's directory names the relay; if it does not, tell the registrar.", "收件机关的目录列明该转递机关后，投递会自动继续；若未列明，请告知注册机关。"]),
    code("CHY-5002", ["the envelope is not for that agency", "信封不是发给该机关的"],
        ["Check the directory's addresses.", "请核对目录中的地址。"]),
    code("CHY-5003", ["the envelope has expired", "信封已过期"],
        ["Send the document again.", "请重新发送公文。"]),
    code("CHY-5004", ["the envelope is larger than that node takes", "信封超过对方节点的上限"],
        ["Send less, or ask that node's operator to raise limits.envelope_bytes.", "请减少内容，或请对方运维人员调高 limits.envelope_bytes。"]),
    code("CHY-5005", ["the envelope is arriving on another stream", "信封正由另一条流接收"],
        ["None: the sending node tries again by itself.", "无需处理，发送节点会自动重试。"]),
    code("CHY-5006", ["the ciphertext does not have the root that its header seals", "密文与信封所载根摘要不符"],
        ["Check the sending node's disk and send the document again.", "请检查发送节点的磁盘，并重新发送公文。"]),

    code("CHY-5007", ["the sender's seal is revoked", "发件机关的印章已被吊销"],
        ["Renew the seal, and have the registrar publish it.", "请更换印章，并由注册中心发布。"]),
    code("CHY-5008", ["the node does not relay for these agencies", "该节点不为这些机关转递"],
        ["Check the directory: one of the two must name the node as its relay.", "请核对目录：其中一方须以该节点为转递机关。"]),

    code("CHY-5009", ["more envelopes were offered in a second than the peer takes", "每秒投递的信封数超过对方限额"],
        ["Delivery goes on by itself, more slowly.", "投递会自动放慢并继续。"]),
    code("CHY-5010", ["more is arriving at the peer at once than it takes", "同时传入对方的数据量超过其限额"],
        ["Delivery goes on by itself.", "投递会自动继续。"]),
    code("CHY-5011", ["the peer keeps as much of this sender as it will", "对方为该发送方保留的数据已达配额"],
        ["Ask the peer's operator for more room; delivery goes on by itself until it expires.", "请联系对方运维人员扩充配额；过期之前投递会自动继续。"]),
    code("CHY-5012", ["the peer's disk is nearly full", "对方磁盘将满"],
        ["Tell the peer's operator; delivery goes on by itself.", "请通知对方运维人员；投递会自动继续。"]),
    code("CHY-5030", ["the clock of the peer's node is known to be wrong, so that it takes nothing", "已知对方节点时钟有误，暂不接收"],
        ["Tell the peer's operator; delivery goes on by itself.", "请通知对方运维人员；投递会自动继续。"]),
    code("CHY-5031", ["more of the sender's documents had to be refused in an hour than the peer looks at", "一小时内被拒收的公文数超过对方限额"],
        ["See with `chancery outbox` why they were refused, and mend that; delivery goes on by itself.", "请用 chancery outbox 查看拒收原因并改正；投递会自动继续。"]),
    code("CHY-5040", ["the content of an envelope does not open, or is not what the envelope says", "信封内容无法打开，或与信封所载不符"],
        ["Nothing was taken in. Send the document again; if it happens again, tell the sending node's operator.", "对方未接收任何内容。请重新发送；如再次出现，请告知发送节点的运维人员。"]),
    code("CHY-5041", ["the peer's ledger is not as far as it was seen to be, or that is not known yet, so that it takes nothing", "对方账本落后于他方所见，或尚未确认，暂不接收"],
        ["Tell the peer's operator; delivery goes on by itself.", "请通知对方运维人员；投递会自动继续。"]),
    code("CHY-6000", ["the command is not right", "命令有误"],
        ["Correct the command; `chancery help` shows examples.", "请更正命令；chancery help 有示例。"]),
    code("CHY-6001", ["the node gave an answer that does not belong to the request", "节点的应答与请求不符"],
        ["Use a `chancery` of the same version as the node.", "请使用与节点版本相同的 chancery。"]),
    code("CHY-6002", ["the passphrase file is empty", "口令文件为空"],
        ["Write the passphrase into it.", "请将口令写入该文件。"]),
    code("CHY-6003", ["the passphrase cannot be read", "口令无法读取"],
        ["Give --passphrase-file.", "请用 --passphrase-file 指定口令文件。"]),
    code("CHY-6004", ["the new key needs a passphrase", "新私钥需要口令"],
        ["Give --new-passphrase-file FILE, or set CHANCERY_NEW_PASSPHRASE, or say --no-passphrase.", "用 --new-passphrase-file 指定，或设置 CHANCERY_NEW_PASSPHRASE，或明确使用 --no-passphrase。"]),
    code("CHY-6005", ["the profile needs a name", "该类证书需要名称"],
        ["Give --name, such as justice.zj.gov.cn or li@justice.zj.gov.cn.", "请用 --name 给出，如 justice.zj.gov.cn 或 li@justice.zj.gov.cn。"]),
    code("CHY-6006", ["a file changed while it was being sent", "文件在发送过程中被改动"],
        ["Nothing was sent. Send it again when nobody writes to it.", "未发送任何内容。请在无人写入时重新发送。"]),
    code("CHY-6007", ["a file's name is not UTF-8", "文件名不是 UTF-8 编码"],
        ["Rename the file.", "请更改文件名。"]),
    code("CHY-6008", ["not every recipient has confirmed in time", "部分收件机关未在限时内确认"],
        ["Delivery goes on; look with `chancery trace`.", "投递会继续；可用 chancery trace 查看。"]),
    code("CHY-6009", ["a document that went out from here cannot be received here", "本机关发出的公文不能由本机关签收"],
        ["Choose a document from `chancery inbox`.", "请从 chancery inbox 中选择公文。"]),
    code("CHY-6010", ["a directory must be signed by a seal, not by an officer", "目录须由机关印章签署，不能由个人签署"],
        ["Give the registrar's seal with --key and --cert.", "请用 --key 与 --cert 给出注册机关的印章。"]),
    code("CHY-6011", ["key and certificate do not belong together, or to another agency", "私钥与证书不匹配，或不属于该机关"],
        ["Give key and certificate that were issued together, for this agency.", "请提供同时签发、且属于该机关的私钥与证书。"]),
    code("CHY-6012", ["CHANCERY_LOG is not right", "CHANCERY_LOG 设置有误"],
        ["Set CHANCERY_LOG to `info`, say.", "例如设为 info。"]),
    code("CHY-6013", ["the operating system gives no threads", "操作系统无法创建线程"],
        ["See the limits of the service (`systemctl show -p TasksMax`, `ulimit -u`).", "请检查服务的资源限制（systemctl show -p TasksMax、ulimit -u）。"]),
    code("CHY-6014", ["the key of a seal has no verifier key", "该印章密钥没有对应的验证者密钥"],
        ["Check the note with the seal's certificate, as `chancery audit` does.", "请用印章证书核验该检查点，如 chancery audit 所做。"]),
    code("CHY-6015", ["a file or folder exists already", "文件或文件夹已存在"],
        ["Choose another place, or move it away; nothing was overwritten.", "请另选位置或先移走；未覆盖任何内容。"]),
    code("CHY-6016", ["there is no such error code", "没有这个错误代码"],
        ["Run `chancery explain` for all of them.", "运行 chancery explain 可列出全部代码。"]),
    code("CHY-6017", ["the two passphrases differ", "两次输入的口令不一致"],
        ["Type the same passphrase twice; nothing was made.", "请两次输入相同的口令；未生成任何文件。"]),
    code("CHY-6018", ["the document's signatures do not verify", "公文的签名未通过验证"],
        ["See why with `chancery open` and `chancery verify`; --unverified registers it all the same.", "请用 chancery open 与 chancery verify 查看原因；确需签收时使用 --unverified。"]),
    code("CHY-6019", ["a log in the CA's folder cannot be read", "签发机构目录中的日志无法读取"],
        ["Restore the CA's folder from its backup.", "请从备份恢复签发机构目录。"]),
    code("CHY-6020", ["the benchmark failed", "性能测试失败"],
        ["See the message; the nodes' logs say more.", "请看错误信息；节点日志有详情。"]),
    code("CHY-6021", ["the benchmark needs a clerk", "性能测试至少需要一个提交者"],
        ["Give --clerks 1.", "请用 --clerks 1。"]),
    code("CHY-6022", ["this CA has not issued the certificate", "该证书不是此签发机构签发的"],
        ["Give the folder of the CA that issued it.", "请指定签发该证书的机构目录。"]),
    code("CHY-6023", ["the certificate is revoked already", "该证书已被吊销"],
        ["Publish it with `chancery ca crl`.", "请用 chancery ca crl 发布。"]),

    code("CHY-6024", ["no time-stamp could be had from the authority", "无法从时间戳机构取得时间戳"],
        ["Check the address, and that the authority is up; nothing was changed.", "请检查地址以及时间戳机构是否在运行；未作任何改动。"]),
    code("CHY-6025", ["a time-stamp needs an authority", "加盖时间戳需要指定机构"],
        ["Give --tsa URL, or set CHANCERY_TSA.", "请用 --tsa 指定，或设置 CHANCERY_TSA。"]),
    code("CHY-6026", ["levels LT and LTA embed revocation data", "LT 与 LTA 级别须嵌入吊销数据"],
        ["Give the CAs' current CRLs with --crl.", "请用 --crl 给出各签发机构现行的吊销列表。"]),
    code("CHY-6027", ["files are signed into a new document", "文件须签署为新的公文"],
        ["Say where with --out DIR.", "请用 --out 指定位置。"]),
    code("CHY-6028", ["that cannot be done with a document that is one file with its parts", "文件与附件合为一体时不能这样操作"],
        ["Leave --out away, or take it out first with `chancery doc extract`.", "请去掉 --out，或先用 chancery doc extract 取出。"]),
    code("CHY-6029", ["the document has no such signature", "公文没有这个签名"],
        ["Give one of them with --signature; `chancery doc show` lists them.", "请用 --signature 指定；chancery doc show 可列出。"]),
    code("CHY-6030", ["the file does not hold a document with its parts", "该文件不含公文及其附件"],
        ["Give a file that `chancery doc sign --attached` made.", "请提供由 chancery doc sign --attached 生成的文件。"]),
    code("CHY-6031", ["a new document needs --to, --type and --title", "新公文须给出 --to、--type 与 --title"],
        ["Give all three; `--help` shows examples.", "请一并给出；--help 有示例。"]),
    code("CHY-6032", ["none of its signers made a CAdES signature", "没有签署人附上 CAdES 签名"],
        ["Sign it with `chancery doc sign --with-cades`; exporting has no key.", "请用 chancery doc sign --with-cades 签署；导出时没有私钥。"]),
    code("CHY-6033", ["the container does not verify", "容器未通过验证"],
        ["See why with `chancery verify`; nothing was taken out.", "请用 chancery verify 查看原因；未取出任何内容。"]),
    code("CHY-6034", ["it is no encryption key", "不是加密私钥"],
        ["Give one that `chancery key encryption` made.", "请提供由 chancery key encryption 生成的密钥。"]),
    code("CHY-6035", ["the name of a key in a token is not right", "令牌密钥的名称有误"],
        ["Write it as pkcs11:token=NAME;object=LABEL?module-path=FILE.", "请写作 pkcs11:token=名称;object=标签?module-path=文件。"]),
    code("CHY-6036", ["a token cannot be used", "令牌无法使用"],
        ["Check that the card or HSM is there, its name and its PIN.", "请检查智能卡或加密机是否就位、名称与 PIN 是否正确。"]),
    code("CHY-6037", ["a signer needs a certificate", "签署需要证书"],
        ["Give --cert FILE, or set CHANCERY_CERT.", "请用 --cert 指定，或设置 CHANCERY_CERT。"]),
    code("CHY-6038", ["an exported ledger fails its audit and is not imported", "导出的账本未通过审计，未予导入"],
        ["See why with `chancery audit`; nothing was imported.", "请用 `chancery audit` 查看原因；未导入任何内容。"]),

    code("CHY-6050", ["a name for people is blank, or holds characters that cannot be seen", "名称为空，或含有不可见字符"],
        ["Write it without characters that cannot be seen.", "请去掉不可见字符后重写。"]),
    code("CHY-6060", ["an address is none", "地址无效"],
        ["Give --connect HOST:PORT.", "请以 --connect 主机:端口 的形式给出。"]),
    code("CHY-6061", ["an agency's node does not answer as it should", "机关节点没有正常应答"],
        ["Check --connect and --anchor, that the node lets parties in (api.officer_certificates), and that your certificate is in force.", "请检查 --connect 与 --anchor、对方节点是否允许当事人凭证书接入（api.officer_certificates），以及证书是否有效。"]),
    code("CHY-7001", ["no module has this document type", "没有模块提供此公文类型"],
        ["Choose one of those with --type.", "请用 --type 选择所列类型之一。"]),
    code("CHY-7002", ["a file is no part of a module", "文件不能作为模块的一部分"],
        ["A module has text files only, at most 4 MiB of them, in its folder or one below; see docs/modules.md.", "模块只含文本文件，总量不超过 4 MiB，放在模块目录或其下一级目录中；见 docs/modules.md。"]),
    code("CHY-7003", ["an export of decisions cannot be read", "裁定的导出文件无法读取"],
        ["Check that this is the right folder; if it is, ask for the export again.", "请确认文件夹是否正确；若正确，请重新索取导出。"]),
    code("CHY-7004", ["a form is not filled in so that it can be read", "表单的填写方式无法识别"],
        ["See the fields of the form with `chancery app describe MODULE`.", "用 chancery app describe 模块名 查看表单的字段。"]),
    code("CHY-7005", ["the module has no such act", "该模块没有这一办理动作"],
        ["Choose one that `chancery app describe MODULE` lists.", "请从 chancery app describe 模块名 所列的动作中选择。"]),
    code("CHY-7100", ["a document is for no module, act, version or matter that is here", "文件所指的模块、动作、版本或者事项不在此处"],
        ["See `chancery module list` and `chancery app show`; sign it again for what is there.", "用 chancery module list 和 chancery app show 查看，再针对现有事项重新签署。"]),
    code("CHY-7101", ["a condition of the module's rules does not hold", "不符合该模块规定的条件"],
        ["Put right what the rule says, and file it again; the article is named.", "请按所列规则和条文更正后重新提交。"]),
    code("CHY-7102", ["the matter is in a state in which this is not possible", "该事项所处的状态不能办理此动作"],
        ["`chancery app show ID` says what is possible now, and since when.", "用 chancery app show 编号 查看现在可以办理的动作。"]),
    code("CHY-7103", ["the signer is not entitled to this act", "签署人无权办理此动作"],
        ["Have it signed by somebody in the role that is named, or be appointed to it.", "请由所列角色的人员签署，或者先办理任命。"]),
    code("CHY-7104", ["it is too early or too late for this act", "办理此动作尚未到时或者已经逾期"],
        ["`chancery app show ID` says when the time is, and how each day was counted.", "用 chancery app show 编号 查看期限及其逐日计算。"]),
    code("CHY-7105", ["the form is not filled in as it must be, or a reason is missing", "表单填写不合要求，或者没有说明理由"],
        ["Correct the fields that are named; `chancery app describe MODULE` lists all.", "请更正所列字段；用 chancery app describe 模块名 查看全部字段。"]),
    code("CHY-7106", ["it is more than may be: a limit of the module's rules", "超过模块规定的限额"],
        ["Ask for no more than what is left, which is named.", "请在所列的余额之内重新提出。"]),
    code("CHY-7107", ["something of this value is there already", "已存在相同的记录"],
        ["Look at what is there; the value may stand only once.", "请查看已有的记录；该值只能出现一次。"]),
    code("CHY-7108", ["the matter has moved since its signer saw it", "签署人查看之后该事项已有变化"],
        ["Look at it again with `chancery app show ID`, and sign again.", "用 chancery app show 编号 重新查看后再签署。"]),
    code("CHY-7110", ["it cannot be said whether it may be done: something is missing", "缺少必要的内容，无法判断能否办理"],
        ["Supply what is named as missing, and file it again.", "请补充所缺的内容后重新提交。"]),
    code("CHY-7111", ["a module or a table has mistakes, or is not the one that is named", "模块或者参数表有错误，或者与所指明的不一致"],
        ["`chancery module check FOLDER` names each with file and line.", "用 chancery module check 目录 逐条查看文件和行号。"]),
    code("CHY-7112", ["it is booked already", "该时段已被占用"],
        ["Ask for one of the slots that are named as free.", "请改用所列的空闲时段。"]),
    code("CHY-7113", ["it cannot be printed", "无法打印"],
        ["Mend what is named, or take another template.", "请按所述原因处理，或者改用其他模板。"]),
];

/// The entry of a code.
pub(crate) fn find(code: &str) -> Option<&'static Code> {
    CODES.iter().find(|entry| entry.code == code)
}

/// The table for the documentation.
#[cfg(test)]
fn markdown() -> String {
    let mut out = String::from(
        "# Error codes 错误代码\n\n\
         Every refusal has a stable code. `chancery explain CODE` shows one of these entries. A\n\
         test writes this file: `UPDATE_DOCS=1 make test`.\n",
    );
    for (digit, en, zh) in GROUPS {
        out += &format!(
            "\n## {digit}xxx {en} {zh}\n\n| code | meaning | what to do |\n| --- | --- | --- |\n"
        );
        let start = format!("CHY-{digit}");
        for c in CODES.iter().filter(|c| c.code.starts_with(&start)) {
            let row = |[en, zh]: [&str; 2]| format!("{en}<br>{zh}");
            out += &format!("| {} | {} | {} |\n", c.code, row(c.means), row(c.remedy));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use std::{
        collections::BTreeSet,
        path::{Path, PathBuf},
    };

    use super::*;

    /// Asked for when the test runs: a target folder may be shared by several checkouts.
    fn root() -> PathBuf {
        Path::new(&std::env::var_os("CARGO_MANIFEST_DIR").expect("set by cargo test")).join("..")
    }

    #[test]
    fn the_documented_table_is_this_one() {
        let path = root().join("docs/errors.md");
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(&path, markdown()).expect("writes");
        }
        let kept = std::fs::read_to_string(&path).expect("docs/errors.md");
        assert!(kept == markdown(), "docs/errors.md is out of date: run with UPDATE_DOCS=1");
    }

    #[test]
    fn every_code_in_the_sources_is_listed_and_every_listed_one_is_used() {
        let mut used = BTreeSet::new();
        let node = ["store", "ledger", "bus", "desk", "doors"].map(|room| format!("node/{room}"));
        let rooms = ["crypto", "certs", "protocol", "apps", "cli"].map(str::to_owned);
        for room in rooms.into_iter().chain(node) {
            let mut folders = vec![root().join(room).join("src")];
            while let Some(folder) = folders.pop() {
                for file in std::fs::read_dir(folder).expect("sources") {
                    let file = file.expect("an entry").path();
                    if file.is_dir() {
                        folders.push(file);
                        continue;
                    }
                    if file.ends_with("cli/src/codes.rs") {
                        continue;
                    }
                    let text = std::fs::read_to_string(&file).unwrap_or_default();
                    let codes = text.split("\"CHY-").skip(1).filter_map(|rest| rest.get(..4));
                    let numbers = codes.filter(|code| code.bytes().all(|b| b.is_ascii_digit()));
                    used.extend(numbers.map(|code| format!("CHY-{code}")));
                }
            }
        }
        // It stands inside a longer text.
        used.insert("CHY-6000".to_owned());
        let listed: BTreeSet<_> = CODES.iter().map(|c| c.code.to_owned()).collect();
        assert_eq!(listed.len(), CODES.len(), "a code stands twice");
        let sorted = CODES.windows(2).all(|pair| pair[0].code < pair[1].code);
        assert!(sorted, "the codes are not in order");
        let unlisted: Vec<_> = used.difference(&listed).collect();
        let unused: Vec<_> = listed.difference(&used).collect();
        assert!(unlisted.is_empty() && unused.is_empty(), "{unlisted:?} {unused:?}");
    }
}
