//! Prints one table of all that is kept in target/bench, or of what begins like the argument; the exit status tells whether every bar is reached.

use std::process::ExitCode;

fn main() -> anyhow::Result<ExitCode> {
    let begin = std::env::args().nth(1).unwrap_or_default();
    let mut measurements = Vec::new();
    let mut files: Vec<_> = std::fs::read_dir(benches::folder())?.collect::<Result<_, _>>()?;
    files.sort_by_key(std::fs::DirEntry::file_name);
    for file in files {
        let path = file.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            if name.starts_with(&begin) {
                let rows: Vec<benches::Row> = serde_json::from_slice(&std::fs::read(&path)?)?;
                measurements.push((name, rows));
            }
        }
    }
    println!("{}", benches::table(&measurements));
    let missed = measurements.iter().flat_map(|(_, rows)| rows).filter(|row| !row.passes()).count();
    println!("{missed} of the bars missed");
    Ok(if missed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
