//! What is known of one person, as JSON: `{"format": 1, "account": [..], "messages": [..], ..}`, each section a list of rows.

use std::{
    io::{self, BufWriter, Write},
    path::Path,
};

use proto::Name;
use serde_json::{Map, Value};

use super::{Admin, backup::new_file};
use crate::{error::Error, store::Told};

impl Admin {
    /// Writes all that is kept of one person into a new file, for nobody else to read.
    ///
    /// # Errors
    /// When there is no such account, or the file is there already or can't be written.
    pub async fn export(&self, name: &Name, into: &Path) -> Result<(), Error> {
        let id = self.id(name).await?;
        let failed = |source| Error::File { path: into.to_owned(), source };
        let mut page = Page { file: BufWriter::new(new_file(into).map_err(failed)?), rows: None };
        page.file.write_all(b"{\n\"format\": 1").map_err(failed)?;
        self.store.tell_all(id, &mut page).await?;
        page.end().map_err(failed)
    }
}

/// JSON that is written as it comes.
struct Page<W> {
    file: W,
    /// Rows of the section so far, if one has begun.
    rows: Option<usize>,
}

impl<W: Write> Page<W> {
    fn end(&mut self) -> io::Result<()> {
        self.file.write_all(if self.rows.is_some() { b"\n]\n}\n" } else { b"\n}\n" })?;
        self.file.flush()
    }
}

impl<W: Write> Told for Page<W> {
    fn section(&mut self, name: &'static str) -> io::Result<()> {
        if self.rows.replace(0).is_some() {
            self.file.write_all(b"\n]")?;
        }
        write!(self.file, ",\n\"{name}\": [")
    }

    fn row(&mut self, row: Map<String, Value>) -> io::Result<()> {
        let rows = self.rows.get_or_insert(0);
        self.file.write_all(if *rows == 0 { b"\n" } else { b",\n" })?;
        *rows += 1;
        serde_json::to_writer(&mut self.file, &row)?;
        Ok(())
    }
}
