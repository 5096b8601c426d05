//! The cameras, microphones and speakers of this machine.

use nokhwa::utils::{ApiBackend, CameraIndex};

use crate::{Part, Trouble, VideoConfig, sound};

pub(crate) mod choice;
#[cfg(target_os = "linux")]
mod linux;

pub use choice::InUse;

/// A device and how to ask for it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Listed {
    /// What goes behind `device:` in a [`CameraSpec`](crate::CameraSpec) and the like.
    pub id: String,
    /// What people know it by.
    pub name: String,
}

/// All cameras. Asking may take a second, so not on a thread that draws.
///
/// A camera's id is its name where no other one has that, and so stays the same wherever it's plugged in; the system's own number, which also names it, depends on
/// which camera was there first.
#[must_use]
pub fn cameras() -> Vec<Listed> {
    query().map(|cameras| cameras.into_iter().map(|camera| camera.listed).collect()).unwrap_or_default()
}

/// All microphones and other inputs. Asking may take a second, so not on a thread that draws.
#[must_use]
pub fn microphones() -> Vec<Listed> {
    sound::device::list(Part::Microphone)
}

/// All speakers and other outputs. Asking may take a second, so not on a thread that draws.
#[must_use]
pub fn speakers() -> Vec<Listed> {
    sound::device::list(Part::Speaker)
}

/// A camera that was found.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) index: CameraIndex,
    pub(crate) listed: Listed,
}

impl Found {
    fn goes_by(&self, id: &str) -> bool {
        let number = self.index.as_string();
        self.listed.id == id
            || self.listed.name == id
            || number == id
            || id.strip_prefix("/dev/video").is_some_and(|rest| rest == number)
    }
}

/// The cameras that go by this id, name or (on Linux) path; all of them without one.
pub(crate) fn find_cameras(id: Option<&str>) -> Result<Vec<Found>, Trouble> {
    let all = query()?;
    Ok(all.into_iter().filter(|found| id.is_none_or(|id| found.goes_by(id))).collect())
}

/// The cameras, first one first.
fn query() -> Result<Vec<Found>, Trouble> {
    let mut all: Vec<_> = nokhwa::query(ApiBackend::Auto)
        .map_err(|error| Trouble::Failed { part: Part::Camera, detail: error.to_string() })?
        .into_iter()
        .map(|info| (info.index().clone(), info.human_name()))
        .collect();
    #[cfg(target_os = "linux")]
    all.retain(|(index, _)| linux::captures(index));
    all.sort();
    Ok(identified(all))
}

/// Gives each an id.
fn identified(all: Vec<(CameraIndex, String)>) -> Vec<Found> {
    let alone = |name: &str| !name.is_empty() && all.iter().filter(|(_, other)| other == name).count() == 1;
    let id = |index: &CameraIndex, name: &str| if alone(name) { name.to_owned() } else { index.as_string() };
    let listed = |index: &CameraIndex, name: &str| Listed { id: id(index, name), name: name.to_owned() };
    all.iter().map(|(index, name)| Found { index: index.clone(), listed: listed(index, name) }).collect()
}

/// Something that changes when a camera comes or goes, and costs far less than to ask for them.
pub(crate) fn cameras_now() -> Vec<String> {
    #[cfg(target_os = "linux")]
    return linux::nodes();
    #[cfg(not(target_os = "linux"))]
    return cameras().into_iter().map(|camera| camera.id).collect();
}

/// Puts a camera into a state that nokhwa can begin with.
pub(crate) fn prepare_camera(index: &CameraIndex, want: VideoConfig) {
    #[cfg(target_os = "linux")]
    linux::prepare(index, want);
    #[cfg(not(target_os = "linux"))]
    let _ = (index, want);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_camera_goes_by_its_name_unless_there_are_two_of_that() {
        let camera = |number, name: &str| (CameraIndex::Index(number), name.to_owned());
        let all = identified(vec![camera(0, "Built-in"), camera(2, "C920"), camera(4, "C920"), camera(6, "")]);
        let ids: Vec<_> = all.iter().map(|found| found.listed.id.as_str()).collect();
        assert_eq!(ids, ["Built-in", "2", "4", "6"]);
        let by = |id: &str| all.iter().filter(|found| found.goes_by(id)).map(|found| found.index.as_string()).collect::<Vec<_>>();
        assert_eq!(
            (by("Built-in"), by("0"), by("/dev/video0")),
            (vec!["0".to_owned()], vec!["0".to_owned()], vec!["0".to_owned()])
        );
        assert_eq!(
            (by("C920"), by("4"), by("/dev/video9")),
            (vec!["2".to_owned(), "4".to_owned()], vec!["4".to_owned()], vec![])
        );
    }
}
