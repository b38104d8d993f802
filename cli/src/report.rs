//! Reports for people to keep: one HTML page that needs nothing else.

use serde_json::Value;

use crate::output::{Output, plain, time};

const STYLE: &str = "\
body{font:16px/1.5 system-ui,'Noto Sans CJK SC',sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;\
color:#1a1a1a;background:#fff}\
h1{font-size:1.4rem}h2{font-size:1.15rem;margin:0 0 .5rem}section{border:1px solid #ccc;border-radius:.4rem;\
padding:1rem;margin:1rem 0}\
.TOTAL-PASSED{color:#0a6b2d}.TOTAL-FAILED{color:#b00020}.INDETERMINATE{color:#8a5a00}\
ul{padding-left:1.2rem;margin:.3rem 0}li{margin:.15rem 0}code{font-size:.85em;overflow-wrap:anywhere}\
dl{display:grid;grid-template-columns:max-content 1fr;gap:.1rem 1rem;margin:.5rem 0}dt{color:#555}dd{margin:0}\
ol.steps{list-style:none;padding-left:1rem;border-left:.2rem solid #bbb}ol.steps li{margin:.7rem 0}\
time{color:#555;font-variant-numeric:tabular-nums}\
@media print{body{margin:0}section{break-inside:avoid}}";

/// A text from outside in HTML.
pub(crate) fn escape(text: &str) -> String {
    let text = plain(text);
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// How every page begins.
pub(crate) fn page_head(title: &str, indication: &str, output: &Output) -> String {
    let language = output.t("en", "zh-CN");
    format!(
        "<!DOCTYPE html>\n<html lang=\"{language}\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <title>{title}</title><style>{STYLE}</style></head><body>\n<h1>{title}: {}</h1>\n",
        mark(indication, "")
    )
}

/// The page of a verification, from its JSON form.
pub(crate) fn html(whole: &Value, output: &Output) -> String {
    let title = output.t("Verification report", "验证报告");
    let mut out = page_head(title, text(whole, "indication"), output) + &lenience(whole, output);
    for document in list(whole, "documents") {
        out += &section(document, output);
    }
    let note = output.t(
        "Indications by ETSI EN 319 102-1. Verified offline; the trust anchors are those that the verifier \
         gave.",
        "结论依 ETSI EN 319 102-1。离线验证，信任锚由验证人提供。",
    );
    out + &format!("<p>{note}</p>\n</body></html>\n")
}

/// That certificates were verified leniently, where they were.
fn lenience(whole: &Value, output: &Output) -> String {
    let lenient = whole.get("lenient").and_then(Value::as_bool) == Some(true);
    let said = output.t(crate::trust::LENIENT.0, crate::trust::LENIENT.1);
    if lenient { format!("<p>{said}</p>\n") } else { String::new() }
}

/// The page of an audit, from its JSON form.
pub(crate) fn audit_html(whole: &Value, output: &Output) -> String {
    let title = output.t("Audit report", "审计报告");
    let mut out = page_head(title, text(whole, "indication"), output) + &lenience(whole, output);
    for ledger in list(whole, "ledgers") {
        out += &format!("<section><h2>{}</h2>\n", escape(text(ledger, "agency")));
        out +=
            &format!("<p>{}</p>", mark(text(ledger, "indication"), text(ledger, "sub_indication")));
        out += "<dl>";
        let number = |name: &str| ledger.get(name).and_then(Value::as_u64).unwrap_or(0);
        for (label, value) in [
            (output.t("sealed entries", "封存条目"), number("size")),
            (output.t("entries read", "已读条目"), number("entries")),
            (output.t("pieces of evidence", "证据"), number("evidence")),
            (output.t("receipts held by others", "他方持有的回执"), number("held_receipts")),
            (output.t("checkpoints of the history", "历史检查点"), number("checkpoints")),
            (output.t("witnesses", "见证人"), list(ledger, "witnesses").len() as u64),
            (output.t("findings not shown", "未列出的结论"), number("more_findings")),
        ] {
            out += &format!("<dt>{label}</dt><dd>{value}</dd>");
        }
        let at = ledger.get("validation_time").and_then(Value::as_i64).map(time);
        let label = output.t("certificates validated at", "证书验证时间");
        out += &format!("<dt>{label}</dt><dd>{}</dd></dl>\n<ul>", at.unwrap_or_default());
        for finding in list(ledger, "findings") {
            out += &format!(
                "<li>{} {}</li>\n",
                mark(text(finding, "indication"), text(finding, "sub_indication")),
                sentence(finding, output)
            );
        }
        out += "</ul></section>\n";
    }
    let note = output.t(
        "Audited offline; the trust anchors are those that the auditor gave.",
        "离线审计，信任锚由审计人提供。",
    );
    out + &format!("<p>{note}</p>\n</body></html>\n")
}

/// An indication in its colour.
pub(crate) fn mark(indication: &str, sub: &str) -> String {
    let (indication, sub) = (escape(indication), escape(sub));
    format!("<span class=\"{indication}\"><strong>{indication}</strong> {sub}</span>")
}

fn section(document: &Value, output: &Output) -> String {
    let name = match text(document, "title") {
        "" => text(document, "path"),
        title => title,
    };
    let mut out = format!("<section><h2>{}</h2>\n", escape(name));
    out +=
        &format!("<p>{}</p>", mark(text(document, "indication"), text(document, "sub_indication")));
    if !text(document, "sentence").is_empty() {
        out += &format!("<p>{}</p>", sentence(document, output));
    }
    let at = document.get("validation_time").and_then(Value::as_i64).map(time).unwrap_or_default();
    let checked = document.get("revocation_checked").and_then(Value::as_bool).unwrap_or(false);
    let checked = if checked {
        output.t("checked", "已检查")
    } else {
        output.t("not checked", "未检查")
    };
    out += "<dl>";
    for (word, value) in [
        (output.t("file", "文件"), text(document, "path")),
        (output.t("document", "文件编号"), text(document, "document")),
        (output.t("level", "级别"), text(document, "level")),
        (output.t("validated at", "验证时间"), &at),
        (output.t("revocation", "吊销状态"), checked),
    ] {
        out += &format!("<dt>{word}</dt><dd><code>{}</code></dd>", escape(value));
    }
    out += "</dl>\n<ul>";
    for signature in list(document, "signatures") {
        out += &signature_item(signature, output);
    }
    for finding in list(document, "findings").iter().chain(list(document, "evidence")) {
        out += &format!("<li>{}</li>", finding_line(finding, output));
    }
    out + "</ul></section>\n"
}

fn sentence(value: &Value, output: &Output) -> String {
    escape(text(value, output.t("sentence", "sentence_zh")))
}

fn finding_line(finding: &Value, output: &Output) -> String {
    let mark = mark(text(finding, "indication"), text(finding, "sub_indication"));
    format!("{mark}: {}", sentence(finding, output))
}

fn signature_item(signature: &Value, output: &Output) -> String {
    let signer = signature.get("signer").map(|signer| match signer {
        Value::String(name) => name.clone(),
        Value::Object(one) => one.values().filter_map(Value::as_str).collect(),
        _ => String::new(),
    });
    let claimed = signature.get("signing_time").and_then(Value::as_i64).map(time);
    let mut out = format!(
        "<li>{} <code>{}</code> ({}, {}, {}, {})<br>{}",
        escape(text(signature, "display")),
        escape(&signer.unwrap_or_default()),
        escape(text(signature, "commitment")),
        escape(text(signature, "algorithm")),
        escape(&claimed.unwrap_or_default()),
        escape(text(signature, "level")),
        finding_line(signature, output)
    );
    let beside = || list(signature, "time_stamps").iter().chain(list(signature, "notes"));
    let counters = list(signature, "countersignatures");
    if beside().next().is_some() || !counters.is_empty() {
        out += "<ul>";
        for stamp in beside() {
            out += &format!("<li>{}</li>", finding_line(stamp, output));
        }
        for counter in counters {
            out += &signature_item(counter, output);
        }
        out += "</ul>";
    }
    out + "</li>"
}
