//! Which renderer draws the window: the GPU's, or the CPU's where there is no GPU.
//!
//! iced takes any Vulkan driver it finds, and Mesa offers one that computes on the CPU. That one is slower than tiny-skia and
//! keeps a core busy, so on a machine without a GPU tiny-skia is asked for by name. Looking for the device files takes no
//! time; asking the drivers would load them all and cost a good part of a second.

use std::path::Path;

/// iced's own variable: `wgpu` or `tiny-skia`.
const VARIABLE: &str = "ICED_BACKEND";

/// Asks iced for tiny-skia if this machine has no GPU and the user didn't choose. To be called before any other thread is
/// started; otherwise the choice is left to iced.
pub fn choose() {
    if cfg!(target_os = "linux") && std::env::var_os(VARIABLE).is_none() && !has_gpu(Path::new("/")) {
        match only_thread() {
            true => prefer_cpu(),
            false => tracing::debug!("other threads run already; iced chooses the renderer"),
        }
    }
}

#[expect(unsafe_code, reason = "iced takes its renderer from the environment only")]
fn prefer_cpu() {
    // SAFETY: the caller has checked that this is the process's only thread, so nobody reads the environment meanwhile.
    unsafe { std::env::set_var(VARIABLE, "tiny-skia") };
}

fn only_thread() -> bool {
    std::fs::read_dir("/proc/self/task").is_ok_and(|tasks| tasks.count() == 1)
}

/// Whether some device file under `root` belongs to a GPU that can draw.
fn has_gpu(root: &Path) -> bool {
    let entries = |folder: &str| {
        let found = std::fs::read_dir(root.join(folder)).into_iter().flatten().flatten();
        found.filter_map(|entry| entry.file_name().into_string().ok()).collect::<Vec<_>>()
    };
    let renders = |node: &String| node.starts_with("renderD") && !is_software(&root.join("sys/class/drm").join(node));
    entries("dev/dri").iter().any(renders)
        || entries("dev").iter().any(|name| name == "nvidia0" || name == "dxg" || name == "mali0" || name.starts_with("kgsl-3d"))
}

/// Whether a render node is one of a virtual display without 3D.
fn is_software(node: &Path) -> bool {
    let device = node.join("device");
    let driver = std::fs::read_link(device.join("driver")).unwrap_or_default();
    match driver.file_name().and_then(|name| name.to_str()) {
        Some("vgem" | "vkms" | "bochs-drm" | "simple-framebuffer") => true,
        // The first feature bit is VIRTIO_GPU_F_VIRGL: the host offers 3D.
        Some("virtio_gpu") => std::fs::read_to_string(device.join("features")).is_ok_and(|bits| bits.starts_with('0')),
        _ => false,
    }
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink, path::PathBuf};

    use super::*;

    fn machine(name: &str, nodes: &[(&str, &str, &str)]) -> PathBuf {
        let root = std::env::temp_dir().join(format!("tvphone-gpu-{}-{name}", std::process::id()));
        fs::create_dir_all(root.join("dev/dri")).unwrap();
        for (node, driver, features) in nodes {
            fs::write(root.join("dev/dri").join(node), "").unwrap();
            let device = root.join("sys/class/drm").join(node).join("device");
            fs::create_dir_all(&device).unwrap();
            symlink(root.join("sys/drivers").join(driver), device.join("driver")).unwrap();
            fs::write(device.join("features"), features).unwrap();
        }
        root
    }

    #[test]
    fn a_gpu_is_told_from_a_virtual_display() {
        for (name, nodes, expected) in [
            ("none", &[][..], false),
            ("card-only", &[("card0", "amdgpu", "")], false),
            ("real", &[("card0", "amdgpu", ""), ("renderD128", "amdgpu", "")], true),
            ("virtual", &[("renderD128", "vgem", "")], false),
            ("virtio-2d", &[("renderD128", "virtio_gpu", "0000")], false),
            ("virtio-3d", &[("renderD128", "virtio_gpu", "1000")], true),
            ("mixed", &[("renderD128", "vgem", ""), ("renderD129", "i915", "")], true),
        ] {
            let root = machine(name, nodes);
            assert_eq!(has_gpu(&root), expected, "{name}");
            fs::remove_dir_all(root).unwrap();
        }
    }
}
