//! The cameras, microphones and speakers of this machine.

use nokhwa::utils::{ApiBackend, CameraIndex};

use crate::{Part, Trouble, VideoConfig, sound};

#[cfg(target_os = "linux")]
mod linux;

/// A device and how to ask for it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Listed {
    /// What goes behind `device:` in a [`CameraSpec`](crate::CameraSpec) and the like.
    pub id: String,
    /// What people know it by.
    pub name: String,
}

/// All cameras. Asking may take a second, so not on a thread that draws.
#[must_use]
pub fn cameras() -> Vec<Listed> {
    query()
        .map(|cameras| cameras.into_iter().map(|(index, name)| Listed { id: index.as_string(), name }).collect())
        .unwrap_or_default()
}

/// All microphones and other inputs. Asking may take a second, so not on a thread that draws.
#[must_use]
pub fn microphones() -> Vec<Listed> {
    sounds(Part::Microphone)
}

/// All speakers and other outputs. Asking may take a second, so not on a thread that draws.
#[must_use]
pub fn speakers() -> Vec<Listed> {
    sounds(Part::Speaker)
}

fn sounds(part: Part) -> Vec<Listed> {
    sound::device::list(part).into_iter().map(|(id, name)| Listed { id, name }).collect()
}

/// The cameras that go by this id, name or (on Linux) path; all of them without one.
pub(crate) fn find_cameras(id: Option<&str>) -> Result<Vec<CameraIndex>, Trouble> {
    let all = query()?;
    let Some(id) = id else { return Ok(all.into_iter().map(|(index, _)| index).collect()) };
    let goes_by = |(index, name): &(CameraIndex, String)| {
        let number = index.as_string();
        number == id || name == id || id.strip_prefix("/dev/video").is_some_and(|rest| rest == number)
    };
    Ok(all.into_iter().filter(goes_by).map(|(index, _)| index).collect())
}

/// Index and name of the cameras, first one first.
fn query() -> Result<Vec<(CameraIndex, String)>, Trouble> {
    let mut all: Vec<_> = nokhwa::query(ApiBackend::Auto)
        .map_err(|error| Trouble::Failed { part: Part::Camera, detail: error.to_string() })?
        .into_iter()
        .map(|info| (info.index().clone(), info.human_name()))
        .collect();
    #[cfg(target_os = "linux")]
    all.retain(|(index, _)| linux::captures(index));
    all.sort();
    Ok(all)
}

/// Puts a camera into a state that nokhwa can begin with.
pub(crate) fn prepare_camera(index: &CameraIndex, want: VideoConfig) {
    #[cfg(target_os = "linux")]
    linux::prepare(index, want);
    #[cfg(not(target_os = "linux"))]
    let _ = (index, want);
}
