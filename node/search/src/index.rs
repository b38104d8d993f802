//! The index of public works: on a disk or in memory, made from what everybody reads.

use std::{
    ops::Bound::{Excluded, Included, Unbounded},
    path::Path,
};

use chancery_apps::{Date, Part, Published, SearchEntry, Spell, Status};
use chancery_crypto::cbor;
use serde::{Deserialize, Serialize};
use tantivy::{
    Index as Engine, IndexReader, IndexWriter, ReloadPolicy, TantivyDocument, TantivyError, Term,
    collector::{Count, TopDocs},
    directory::MmapDirectory,
    query::{BooleanQuery, BoostQuery, ConstScoreQuery, Occur, RangeQuery, TermQuery},
    schema::{
        FAST, Field, INDEXED, IndexRecordOption, STORED, STRING, Schema, TextFieldIndexing,
        TextOptions, Value as _,
    },
    tokenizer::TokenizerManager,
};

use crate::{
    error::SearchError,
    mark::passages,
    query::{Hit, MOST_HITS, Page, Query},
    words::{Cutter, grams_of_word},
};

/// The form of the index: one of another form is thrown away and made again.
const FORM: &str = "chancery-search/1";

/// How much a writer holds before it writes, in bytes.
const HELD: usize = 50 << 20;

/// The day after which no spell ends that has no end.
const NO_END: i64 = i64::MAX;

/// How much more a word in a title says than one in the text.
const TITLE: f32 = 4.0;

#[derive(Debug, Clone, Copy)]
struct Fields {
    work: Field,
    of: Field,
    module: Field,
    sort: Field,
    issuer: Field,
    status: Field,
    from: Field,
    until: Field,
    title: Field,
    words: Field,
    grams: Field,
    kept: Field,
}

/// What is kept of a version, to show it.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    module: String,
    publication: String,
    work: String,
    version: u32,
    title: String,
    sort: Option<String>,
    issuer: Option<String>,
    status: Status,
    parts: Vec<Part>,
}

/// An index of public works.
///
/// Each version of a work stands in it once for each time in which it is one thing (not in force yet, in force, …), and a question
/// has a day: so a version is found once, as what it is then. Works that are not seen yet, or were taken back, are not in it.
pub struct Index {
    engine: Engine,
    writer: IndexWriter,
    reader: IndexReader,
    fields: Fields,
}

impl std::fmt::Debug for Index {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Index")
    }
}

fn schema() -> (Schema, Fields) {
    let text = |tokenizer: &str, option| {
        let indexing =
            TextFieldIndexing::default().set_tokenizer(tokenizer).set_index_option(option);
        TextOptions::default().set_indexing_options(indexing)
    };
    let mut schema = Schema::builder();
    let freqs = IndexRecordOption::WithFreqs;
    let fields = Fields {
        work: schema.add_text_field("work", STRING),
        of: schema.add_text_field("of", STRING),
        module: schema.add_text_field("module", STRING),
        sort: schema.add_text_field("sort", STRING),
        issuer: schema.add_text_field("issuer", STRING),
        status: schema.add_text_field("status", STRING),
        from: schema.add_i64_field("from", INDEXED | FAST),
        until: schema.add_i64_field("until", INDEXED | FAST),
        title: schema.add_text_field("title", text("words", freqs)),
        words: schema.add_text_field("words", text("words", freqs)),
        grams: schema.add_text_field("grams", text("grams", IndexRecordOption::Basic)),
        kept: schema.add_bytes_field("kept", STORED),
    };
    (schema.build(), fields)
}

fn tokenizers() -> TokenizerManager {
    let tokenizers = TokenizerManager::default();
    tokenizers.register("words", Cutter::Words);
    tokenizers.register("grams", Cutter::Grams);
    tokenizers
}

/// Days since 1970.
fn number(day: Date) -> i64 {
    Date::new(1970, 1, 1).map_or(0, |first| i64::from(first.days_to(day)))
}

fn name(parts: &[&str]) -> String {
    // No name has a character that is not seen.
    parts.join("\u{1f}")
}

impl Index {
    /// An index in a folder, which is made if it is not there, and made anew if it has another form or cannot be read: it is derived
    /// from state, and whoever opens it puts in what is missing. The second is whether it is empty.
    ///
    /// # Errors
    /// [`SearchError`] when the folder cannot be used.
    pub fn open(folder: &Path) -> Result<(Self, bool), SearchError> {
        std::fs::create_dir_all(folder)?;
        let form = folder.join("form");
        let same = std::fs::read_to_string(&form).is_ok_and(|known| known == FORM);
        if same {
            match Self::open_in(folder) {
                Ok(index) => {
                    let empty = index.is_empty();
                    return Ok((index, empty));
                }
                // It is whole, and somebody else writes it.
                Err(error @ SearchError::Index(TantivyError::LockFailure(..))) => {
                    return Err(error);
                }
                Err(_) => {}
            }
        }
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            // It holds files of the engine and nothing else.
            if path.is_file() {
                std::fs::remove_file(path)?;
            }
        }
        let index = Self::open_in(folder)?;
        std::fs::write(form, FORM)?;
        Ok((index, true))
    }

    fn open_in(folder: &Path) -> Result<Self, SearchError> {
        let directory = MmapDirectory::open(folder).map_err(TantivyError::from)?;
        let (schema, fields) = schema();
        Self::of(Engine::open_or_create(directory, schema)?, fields)
    }

    /// An index in memory.
    ///
    /// # Errors
    /// [`SearchError`].
    pub fn in_memory() -> Result<Self, SearchError> {
        let (schema, fields) = schema();
        Self::of(Engine::create_in_ram(schema), fields)
    }

    fn of(mut engine: Engine, fields: Fields) -> Result<Self, SearchError> {
        engine.set_tokenizers(tokenizers());
        let writer = engine.writer_with_num_threads(1, HELD)?;
        let reader = engine.reader_builder().reload_policy(ReloadPolicy::Manual).try_into()?;
        Ok(Self { engine, writer, reader, fields })
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.reader.searcher().num_docs() == 0
    }

    /// Puts what everybody reads of a work now in place of what stood there; nothing, if nobody reads it. It is found after
    /// [`Index::commit`].
    ///
    /// # Errors
    /// [`SearchError`].
    pub fn put(
        &mut self,
        published: &Published<'_>,
        publication: &str,
        work: &str,
    ) -> Result<(), SearchError> {
        self.forget(published.module().name(), publication, work);
        for entry in published.entries(publication, work)? {
            self.add(&entry)?;
        }
        Ok(())
    }

    /// Puts all of a publication in place of what stood there, and has it found.
    ///
    /// # Errors
    /// [`SearchError`].
    pub fn rebuild(
        &mut self,
        published: &Published<'_>,
        publication: &str,
    ) -> Result<(), SearchError> {
        let of = name(&[published.module().name(), publication]);
        self.writer.delete_term(Term::from_field_text(self.fields.of, &of));
        let (mut after, far) = (String::new(), Date::new(9999, 12, 31));
        // As of a day on which everything was published that is seen.
        let day = far.unwrap_or_else(|| published.today());
        loop {
            let (works, next) = published.works(publication, day, &after, 500)?;
            for work in works {
                for entry in published.entries(publication, &work.work)? {
                    self.add(&entry)?;
                }
            }
            match next {
                Some(next) => after = next,
                None => return self.commit(),
            }
        }
    }

    /// Takes a work out. It is in files of the engine until [`Index::purge`].
    pub fn forget(&mut self, module: &str, publication: &str, work: &str) {
        let work = name(&[module, publication, work]);
        self.writer.delete_term(Term::from_field_text(self.fields.work, &work));
    }

    /// Adds what is found of a version.
    ///
    /// # Errors
    /// [`SearchError`].
    pub fn add(&mut self, entry: &SearchEntry) -> Result<(), SearchError> {
        let fields = self.fields;
        let text: String = entry.parts.iter().flat_map(|part| [part.text.as_str(), "\n"]).collect();
        for Spell { from, until, status } in &entry.spells {
            let kept = Kept {
                module: entry.module.clone(),
                publication: entry.publication.clone(),
                work: entry.work.clone(),
                version: entry.version,
                title: entry.title.clone(),
                sort: entry.sort.clone(),
                issuer: entry.issuer.clone(),
                status: *status,
                parts: entry.parts.clone(),
            };
            let mut document = TantivyDocument::default();
            let of = name(&[&entry.module, &entry.publication]);
            document.add_text(fields.work, name(&[&of, &entry.work]));
            document.add_text(fields.of, of);
            document.add_text(fields.module, &entry.module);
            if let Some(sort) = &entry.sort {
                document.add_text(fields.sort, sort);
            }
            if let Some(issuer) = &entry.issuer {
                document.add_text(fields.issuer, issuer);
            }
            document.add_text(fields.status, status.name());
            document.add_i64(fields.from, number(*from));
            document.add_i64(fields.until, until.map_or(NO_END, number));
            document.add_text(fields.title, &entry.title);
            document.add_text(fields.words, &text);
            document.add_text(fields.grams, format!("{}\n{text}", entry.title));
            let kept = cbor::encode(&kept).map_err(|_| SearchError::Damaged)?;
            document.add_bytes(fields.kept, &kept);
            self.writer.add_document(document)?;
        }
        Ok(())
    }

    /// Has what was put and taken out be so for questions from now on.
    ///
    /// # Errors
    /// [`SearchError`].
    pub fn commit(&mut self) -> Result<(), SearchError> {
        self.writer.commit()?;
        self.reader.reload()?;
        Ok(())
    }

    /// Has no file hold anything of what was taken out: the engine keeps that until its files are merged.
    ///
    /// # Errors
    /// [`SearchError`].
    pub fn purge(&mut self) -> Result<(), SearchError> {
        self.commit()?;
        let segments = self.engine.searchable_segment_ids()?;
        if !segments.is_empty() {
            self.writer.merge(&segments).wait()?;
        }
        // What reads an older state holds its files.
        self.reader.reload()?;
        self.writer.garbage_collect_files().wait()?;
        Ok(())
    }

    /// Answers a question.
    ///
    /// # Errors
    /// [`SearchError`].
    pub fn search(&self, query: &Query) -> Result<Page, SearchError> {
        let words = query.words()?;
        let searcher = self.reader.searcher();
        let top = TopDocs::with_limit(query.most.clamp(1, MOST_HITS)).and_offset(query.skip);
        let (found, total) =
            searcher.search(&self.query(query, &words), &(top.order_by_score(), Count))?;
        let mut hits = Vec::new();
        for (_, address) in found {
            let document: TantivyDocument = searcher.doc(address)?;
            let bytes = document.get_first(self.fields.kept).and_then(|value| value.as_bytes());
            let bytes = bytes.ok_or(SearchError::Damaged)?;
            let kept: Kept =
                cbor::decode_within(bytes, bytes.len()).map_err(|_| SearchError::Damaged)?;
            hits.push(Hit {
                passages: passages(&kept.parts, &words),
                module: kept.module,
                publication: kept.publication,
                work: kept.work,
                version: kept.version,
                title: kept.title,
                sort: kept.sort,
                issuer: kept.issuer,
                status: kept.status,
            });
        }
        Ok(Page { total, hits })
    }

    fn query(&self, query: &Query, words: &[String]) -> BooleanQuery {
        let fields = self.fields;
        let term = |field, text: &str, option| -> Box<dyn tantivy::query::Query> {
            Box::new(TermQuery::new(Term::from_field_text(field, text), option))
        };
        let plain = |field, text: &str| term(field, text, IndexRecordOption::Basic);
        let mut all: Vec<(Occur, Box<dyn tantivy::query::Query>)> = Vec::new();
        for word in words {
            let freqs = IndexRecordOption::WithFreqs;
            let title = BoostQuery::new(term(fields.title, word, freqs), TITLE);
            let mut any: Vec<(Occur, Box<dyn tantivy::query::Query>)> = vec![
                (Occur::Should, Box::new(title)),
                (Occur::Should, term(fields.words, word, freqs)),
            ];
            // Where the dictionary cuts it otherwise, its characters stand beside each other all the same. That says nothing of
            // how much a text is about it.
            let grams = grams_of_word(word);
            if !grams.is_empty() {
                let each = grams.iter().map(|gram| (Occur::Must, plain(fields.grams, gram)));
                let beside = BooleanQuery::new(each.collect());
                any.push((Occur::Should, Box::new(ConstScoreQuery::new(Box::new(beside), 0.0))));
            }
            all.push((Occur::Must, Box::new(BooleanQuery::new(any))));
        }
        // What chooses says nothing of how good a hit is.
        let mut choose = |query: Box<dyn tantivy::query::Query>| {
            all.push((Occur::Must, Box::new(ConstScoreQuery::new(query, 0.0))));
        };
        if let Some(module) = &query.module {
            choose(plain(fields.module, module));
        }
        if let (Some(module), Some(publication)) = (&query.module, &query.publication) {
            choose(plain(fields.of, &name(&[module, publication])));
        }
        if let Some(sort) = &query.sort {
            choose(plain(fields.sort, sort));
        }
        if let Some(issuer) = &query.issuer {
            choose(plain(fields.issuer, issuer));
        }
        if !query.status.is_empty() {
            let each = query.status.iter();
            let each = each.map(|status| (Occur::Should, plain(fields.status, status.name())));
            choose(Box::new(BooleanQuery::new(each.collect())));
        }
        let day = number(query.on);
        let (from, until) =
            (Term::from_field_i64(fields.from, day), Term::from_field_i64(fields.until, day));
        choose(Box::new(RangeQuery::new(Unbounded, Included(from))));
        choose(Box::new(RangeQuery::new(Excluded(until), Unbounded)));
        BooleanQuery::new(all)
    }
}
