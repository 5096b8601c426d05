//! Makes everything in `assets/` that is drawn or synthesised: `make assets`. Needs espeak-ng for the voices.
//!
//! The same program writes the same bytes, so a change of an asset is a change of this program.

mod canvas;
mod clip;
mod clock;
mod face;
mod icon;
mod sounds;
mod speech;

use std::{fs, path::Path};

use anyhow::Context;

use self::{
    face::{Expression, Person},
    speech::Speech,
};

fn main() -> anyhow::Result<()> {
    let assets = Path::new(env!("CARGO_MANIFEST_DIR")).join("../assets");
    for folder in ["clips", "sounds", "icons"] {
        fs::create_dir_all(assets.join(folder)).with_context(|| format!("can't make assets/{folder}"))?;
    }
    for (person, name) in [(Person::Ana, "ana"), (Person::Ben, "ben")] {
        let speech = Speech::speak(person)?;
        told(&assets, &format!("clips/{name}.wav"), |file| sounds::save(file, &speech.samples))?;
        told(&assets, &format!("clips/{name}.mp4"), |file| clip::save(file, person, &speech))?;
    }
    for (name, samples) in sounds::all() {
        told(&assets, &format!("sounds/{name}.wav"), |file| sounds::save(file, &samples))?;
    }
    told(&assets, "icons/tvphone.png", icon::save)
}

fn told(assets: &Path, name: &str, make: impl FnOnce(&Path) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let file = assets.join(name);
    make(&file).with_context(|| format!("can't make assets/{name}"))?;
    println!("assets/{name}: {} bytes", fs::metadata(&file)?.len());
    Ok(())
}
