//! Pictures of an X11 server's monitors and windows.
//!
//! Composite keeps a picture of a window that others cover, Damage says when something has changed, XFixes knows the pointer, RandR the monitors. Where one
//! of these is missing the window's visible part is taken, or the picture looked at again and again.

mod pointer;

use codecs::{Frame, MediaTime, Size, convert::bgrx};
use x11rb::{
    connection::{Connection as _, RequestConnection as _},
    errors::{ConnectionError, ReplyError},
    protocol::{
        Event, composite,
        composite::ConnectionExt as _,
        damage,
        damage::ConnectionExt as _,
        randr,
        randr::ConnectionExt as _,
        xfixes::ConnectionExt as _,
        xproto::{
            AtomEnum, ChangeWindowAttributesAux, ConnectionExt as _, Drawable, EventMask, ImageFormat, ImageOrder, MapState,
            Pixmap, Window,
        },
    },
    rust_connection::RustConnection,
};

use self::pointer::Pointer;
use super::{ScreenTrouble, Source};

/// Longest title asked for, in units of four bytes.
const TITLE: u32 = 64;

x11rb::atom_manager! {
    /// Names that window managers and clients agree on.
    Atoms: AtomsCookie {
        _NET_CLIENT_LIST_STACKING,
        _NET_CLIENT_LIST,
        _NET_WM_NAME,
        _NET_WM_PID,
        _NET_WM_WINDOW_TYPE,
        _NET_WM_WINDOW_TYPE_DESKTOP,
        _NET_WM_WINDOW_TYPE_DOCK,
        UTF8_STRING,
    }
}

/// A connection to the server.
struct Display {
    connection: RustConnection,
    root: Window,
    /// Columns and rows of all monitors together.
    size: (u16, u16),
    atoms: Atoms,
}

/// Part of the picture, in pixels from the upper left corner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Area {
    x: i16,
    y: i16,
    width: u16,
    height: u16,
}

/// All that can be shared.
pub(super) fn sources() -> Result<Vec<Source>, ScreenTrouble> {
    let display = Display::open()?;
    let mut sources = display.monitors()?.into_iter().map(|(name, area)| source(&name, &name, true, area)).collect::<Vec<_>>();
    for window in display.windows()? {
        if !display.is_worth_sharing(window) {
            continue;
        }
        // It may have gone meanwhile.
        let Ok((name, area)) = display.describe(window) else { continue };
        sources.push(source(&format!("{window:#x}"), &name, false, area));
    }
    Ok(sources)
}

fn source(id: &str, name: &str, monitor: bool, area: Area) -> Source {
    Source { id: id.to_owned(), name: name.to_owned(), monitor, size: (area.width.into(), area.height.into()) }
}

impl Display {
    fn open() -> Result<Self, ScreenTrouble> {
        let name = std::env::var_os("DISPLAY").filter(|name| !name.is_empty());
        let wayland = std::env::var_os("WAYLAND_DISPLAY").is_some_and(|name| !name.is_empty());
        // Xwayland shows nothing of the desktop, and of windows only the old ones.
        if wayland {
            return Err(ScreenTrouble::Wayland);
        }
        if name.is_none() {
            return Err(ScreenTrouble::NoDisplay("DISPLAY isn't set".to_owned()));
        }
        let (connection, screen) = x11rb::connect(None).map_err(|error| ScreenTrouble::NoDisplay(error.to_string()))?;
        let setup = connection.setup();
        let screen = setup.roots.get(screen).ok_or_else(|| ScreenTrouble::NoDisplay("it has no screen".to_owned()))?;
        let format = setup.pixmap_formats.iter().find(|format| format.depth == screen.root_depth);
        let bits = format.map_or(0, |format| format.bits_per_pixel);
        let visuals = screen.allowed_depths.iter().flat_map(|depth| &depth.visuals);
        let red = visuals.clone().find(|visual| visual.visual_id == screen.root_visual).map_or(0, |visual| visual.red_mask);
        if bits != 32 || red != 0x00ff_0000 || setup.image_byte_order != ImageOrder::LSB_FIRST {
            return Err(ScreenTrouble::Form(format!("{bits} bits a pixel, red in {red:#x}")));
        }
        let (root, size) = (screen.root, (screen.width_in_pixels, screen.height_in_pixels));
        let atoms = Atoms::new(&connection).map_err(lost)?.reply().map_err(failed)?;
        // Each extension wants to be told which version is spoken before anything else.
        if has(&connection, composite::X11_EXTENSION_NAME)? {
            connection.composite_query_version(0, 4).map_err(lost)?.reply().map_err(failed)?;
        }
        if has(&connection, x11rb::protocol::xfixes::X11_EXTENSION_NAME)? {
            connection.xfixes_query_version(5, 0).map_err(lost)?.reply().map_err(failed)?;
        }
        if has(&connection, damage::X11_EXTENSION_NAME)? {
            connection.damage_query_version(1, 1).map_err(lost)?.reply().map_err(failed)?;
        }
        if has(&connection, randr::X11_EXTENSION_NAME)? {
            connection.randr_query_version(1, 5).map_err(lost)?.reply().map_err(failed)?;
        }
        Ok(Self { connection, root, size, atoms })
    }

    /// The monitors by their names, the primary one first.
    fn monitors(&self) -> Result<Vec<(String, Area)>, ScreenTrouble> {
        let whole = Area { x: 0, y: 0, width: self.size.0, height: self.size.1 };
        let all = || vec![("screen".to_owned(), whole)];
        if !has(&self.connection, randr::X11_EXTENSION_NAME)? {
            return Ok(all());
        }
        // An old server knows no monitors.
        let Ok(mut reply) = self.connection.randr_get_monitors(self.root, true).map_err(lost)?.reply() else { return Ok(all()) };
        reply.monitors.sort_by_key(|monitor| !monitor.primary);
        let mut monitors = Vec::new();
        for monitor in reply.monitors {
            let name = self.connection.get_atom_name(monitor.name).map_err(lost)?.reply().map_err(failed)?.name;
            let area = Area { x: monitor.x, y: monitor.y, width: monitor.width, height: monitor.height };
            monitors.push((String::from_utf8_lossy(&name).into_owned(), area));
        }
        Ok(if monitors.is_empty() { all() } else { monitors })
    }

    /// The windows people know of, the one on top first: those the window manager lists, or without one those right on the root.
    fn windows(&self) -> Result<Vec<Window>, ScreenTrouble> {
        for list in [self.atoms._NET_CLIENT_LIST_STACKING, self.atoms._NET_CLIENT_LIST] {
            let property = self.connection.get_property(false, self.root, list, AtomEnum::WINDOW, 0, 1024).map_err(lost)?;
            let listed =
                property.reply().map_err(failed)?.value32().map(|windows| windows.collect::<Vec<_>>()).unwrap_or_default();
            if !listed.is_empty() {
                return Ok(listed.into_iter().rev().collect());
            }
        }
        let children = self.connection.query_tree(self.root).map_err(lost)?.reply().map_err(failed)?.children;
        Ok(children.into_iter().rev().filter(|window| self.is_shown(*window)).collect())
    }

    /// Whether a window is to be seen and is more than a menu or a means of another program's.
    fn is_shown(&self, window: Window) -> bool {
        let attributes = self.connection.get_window_attributes(window).ok().and_then(|cookie| cookie.reply().ok());
        attributes.is_some_and(|attributes| attributes.map_state == MapState::VIEWABLE && !attributes.override_redirect)
    }

    /// Whether a window is more than the desktop's ground or a bar on it, and none of this program's, which would show itself in itself.
    fn is_worth_sharing(&self, window: Window) -> bool {
        let first = |property, kind| {
            let cookie = self.connection.get_property(false, window, property, kind, 0, 1).ok()?;
            cookie.reply().ok()?.value32()?.next()
        };
        let kind = first(self.atoms._NET_WM_WINDOW_TYPE, AtomEnum::ATOM);
        let ground = [self.atoms._NET_WM_WINDOW_TYPE_DESKTOP, self.atoms._NET_WM_WINDOW_TYPE_DOCK];
        let own = first(self.atoms._NET_WM_PID, AtomEnum::CARDINAL) == Some(std::process::id());
        !own && kind.is_none_or(|kind| !ground.contains(&kind))
    }

    /// A window's title and where it is.
    fn describe(&self, window: Window) -> Result<(String, Area), ReplyError> {
        let connection = &self.connection;
        let name = connection.get_property(false, window, self.atoms._NET_WM_NAME, self.atoms.UTF8_STRING, 0, TITLE)?;
        let old = connection.get_property(false, window, AtomEnum::WM_NAME, AtomEnum::ANY, 0, TITLE)?;
        let (name, old) = (name.reply()?.value, old.reply()?.value);
        let title = String::from_utf8_lossy(if name.is_empty() { &old } else { &name }).trim().to_owned();
        let title = if title.is_empty() { "A window without a title".to_owned() } else { title };
        Ok((title, self.area(window)?))
    }

    /// Where a window is on the screen.
    fn area(&self, window: Window) -> Result<Area, ReplyError> {
        let geometry = self.connection.get_geometry(window)?;
        let origin = self.connection.translate_coordinates(window, self.root, 0, 0)?;
        let (geometry, origin) = (geometry.reply()?, origin.reply()?);
        Ok(Area { x: origin.dst_x, y: origin.dst_y, width: geometry.width, height: geometry.height })
    }
}

/// What is looked at.
#[derive(Clone, Debug)]
enum Target {
    /// A part of the root, by the monitor's name.
    Monitor(String),
    Window(Window),
}

/// Gives pictures of one monitor or window.
pub(super) struct Grabber {
    display: Display,
    target: Target,
    /// Where it is on the screen.
    area: Area,
    /// The window's picture, whatever covers it. Renewed whenever the window changes its size.
    pixmap: Option<Pixmap>,
    /// Without Damage each look is a picture.
    watched: bool,
    changed: bool,
    pointer: Pointer,
    last: Vec<u8>,
}

impl Grabber {
    /// Begins to look at a monitor by its name, at a window by its number, or at the first monitor.
    pub(super) fn open(id: Option<&str>) -> Result<Self, ScreenTrouble> {
        let display = Display::open()?;
        let window = id.and_then(|id| id.strip_prefix("0x")).and_then(|digits| u32::from_str_radix(digits, 16).ok());
        let (target, area) = match window {
            Some(window) => (Target::Window(window), display.area(window).map_err(|_| ScreenTrouble::Missing)?),
            None => {
                let mut monitors = display.monitors()?.into_iter();
                let (name, area) = monitors.find(|(name, _)| id.is_none_or(|id| id == name)).ok_or(ScreenTrouble::Missing)?;
                (Target::Monitor(name), area)
            }
        };
        let connection = &display.connection;
        let drawable = display.drawable(&target);
        let watch = ChangeWindowAttributesAux::new().event_mask(EventMask::STRUCTURE_NOTIFY);
        connection.change_window_attributes(drawable, &watch).map_err(lost)?.check().map_err(|_| ScreenTrouble::Missing)?;
        if matches!(target, Target::Window(_)) && has(connection, composite::X11_EXTENSION_NAME)? {
            let redirect = connection.composite_redirect_window(drawable, composite::Redirect::AUTOMATIC).map_err(lost)?;
            redirect.check().map_err(failed)?;
        }
        let watched = has(connection, damage::X11_EXTENSION_NAME)?;
        if watched {
            let id = connection.generate_id().map_err(|error| ScreenTrouble::Failed(error.to_string()))?;
            let create = connection.damage_create(id, drawable, damage::ReportLevel::NON_EMPTY).map_err(lost)?;
            create.check().map_err(failed)?;
        }
        let pointer = Pointer::new(has(connection, x11rb::protocol::xfixes::X11_EXTENSION_NAME)?);
        let mut grabber = Self { display, target, area, pixmap: None, watched, changed: true, pointer, last: Vec::new() };
        grabber.rename()?;
        Ok(grabber)
    }

    /// A new picture, taken at `time`; `None` while nothing has changed.
    pub(super) fn look(&mut self, time: MediaTime) -> Result<Option<Frame>, ScreenTrouble> {
        self.events()?;
        self.follow()?;
        let moved = self.pointer.look(&self.display.connection, self.area).map_err(failed)?;
        if !self.changed && !moved && self.watched {
            return Ok(None);
        }
        let Some(pixels) = self.pixels()? else { return Ok(None) };
        self.changed = false;
        let mut picture = Picture { width: self.area.width.into(), height: self.area.height.into(), pixels };
        self.pointer.draw(&mut picture, self.area);
        if picture.pixels == self.last {
            return Ok(None);
        }
        let frame = picture.frame(time);
        self.last = picture.pixels;
        Ok(frame)
    }

    /// Takes in what the server has to say.
    fn events(&mut self) -> Result<(), ScreenTrouble> {
        while let Some(event) = self.display.connection.poll_for_event().map_err(lost)? {
            match event {
                Event::DamageNotify(event) => {
                    self.changed = true;
                    // What changes from here on is told again.
                    self.display.connection.damage_subtract(event.damage, x11rb::NONE, x11rb::NONE).map_err(lost)?;
                }
                Event::DestroyNotify(event) if self.display.drawable(&self.target) == event.window => {
                    return Err(ScreenTrouble::Closed);
                }
                Event::ConfigureNotify(_) | Event::MapNotify(_) => {
                    self.changed = true;
                    self.rename()?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Where it is now: the pointer is drawn by that, and a window may have moved.
    fn follow(&mut self) -> Result<(), ScreenTrouble> {
        let area = match &self.target {
            Target::Monitor(_) => return Ok(()),
            Target::Window(window) => self.display.area(*window).map_err(closed)?,
        };
        if (area.width, area.height) != (self.area.width, self.area.height) {
            self.changed = true;
            self.rename()?;
        }
        self.area = area;
        Ok(())
    }

    /// A window that was shown or sized anew has a new picture, and monitors may be other ones.
    fn rename(&mut self) -> Result<(), ScreenTrouble> {
        let connection = &self.display.connection;
        match &self.target {
            Target::Monitor(name) => {
                let root = connection.get_geometry(self.display.root).map_err(lost)?.reply().map_err(failed)?;
                self.display.size = (root.width, root.height);
                let mut monitors = self.display.monitors()?.into_iter();
                self.area = monitors.find(|(other, _)| other == name).ok_or(ScreenTrouble::Missing)?.1;
            }
            Target::Window(window) => {
                if let Some(old) = self.pixmap.take() {
                    connection.free_pixmap(old).map_err(lost)?;
                }
                if has(connection, composite::X11_EXTENSION_NAME)? {
                    let id = connection.generate_id().map_err(|error| ScreenTrouble::Failed(error.to_string()))?;
                    // One that isn't shown just now has none.
                    let named = connection.composite_name_window_pixmap(*window, id).map_err(lost)?.check();
                    self.pixmap = named.is_ok().then_some(id);
                }
            }
        }
        Ok(())
    }

    /// The pixels as they are now, rows without gaps; `None` while there are none.
    fn pixels(&self) -> Result<Option<Vec<u8>>, ScreenTrouble> {
        let (drawable, x, y) = match (&self.target, self.pixmap) {
            (Target::Monitor(_), _) => (self.display.root, self.area.x, self.area.y),
            (Target::Window(_), Some(pixmap)) => {
                // The pixmap has the window's border around it.
                let geometry = self.display.connection.get_geometry(pixmap).map_err(lost)?.reply().map_err(failed)?;
                let border = |outer: u16, inner: u16| i16::try_from(outer.saturating_sub(inner) / 2).unwrap_or(0);
                (pixmap, border(geometry.width, self.area.width), border(geometry.height, self.area.height))
            }
            (Target::Window(window), None) => (*window, 0, 0),
        };
        let Area { width, height, .. } = self.area;
        let image = self.display.connection.get_image(ImageFormat::Z_PIXMAP, drawable, x, y, width, height, !0).map_err(lost)?;
        match image.reply() {
            Ok(image) if image.data.len() == 4 * usize::from(width) * usize::from(height) => Ok(Some(image.data)),
            Ok(image) => Err(ScreenTrouble::Form(format!("depth {}", image.depth))),
            // Just being hidden, shown or sized anew: the next look knows more.
            Err(ReplyError::X11Error(_)) => Ok(None),
            Err(error) => Err(failed(error)),
        }
    }
}

impl Display {
    /// What is drawn to.
    fn drawable(&self, target: &Target) -> Drawable {
        match target {
            Target::Monitor(_) => self.root,
            Target::Window(window) => *window,
        }
    }
}

/// Pixels of blue, green, red and nothing, in rows without gaps.
struct Picture {
    width: usize,
    height: usize,
    pixels: Vec<u8>,
}

impl Picture {
    /// The same as a frame, without the last row or column where their number is odd; `None` of what is hardly a picture.
    fn frame(&self, time: MediaTime) -> Option<Frame> {
        let even = |side: usize| u32::try_from(side & !1).unwrap_or(u32::MAX);
        if self.width > Size::MAX.width as usize || self.height > Size::MAX.height as usize {
            return self.halved().frame(time);
        }
        let size = Size::new(even(self.width), even(self.height)).ok()?;
        bgrx(&self.pixels, 4 * self.width, size, time)
            .inspect_err(|error| tracing::warn!(%error, "no picture of the screen"))
            .ok()
    }

    /// Every second pixel of every second row: what is larger than any frame may be is made much smaller later anyway.
    fn halved(&self) -> Self {
        let rows = self.pixels.chunks_exact(4 * self.width).step_by(2);
        let pixels = rows.flat_map(|row| row.chunks_exact(4).step_by(2).flatten().copied()).collect();
        Self { width: self.width.div_ceil(2), height: self.height.div_ceil(2), pixels }
    }
}

fn has(connection: &RustConnection, extension: &'static str) -> Result<bool, ScreenTrouble> {
    Ok(connection.extension_information(extension).map_err(lost)?.is_some())
}

fn lost(error: ConnectionError) -> ScreenTrouble {
    ScreenTrouble::Failed(error.to_string())
}

/// What is wrong where a window was before.
fn closed(error: ReplyError) -> ScreenTrouble {
    match error {
        ReplyError::ConnectionError(error) => lost(error),
        ReplyError::X11Error(_) => ScreenTrouble::Closed,
    }
}

fn failed(error: ReplyError) -> ScreenTrouble {
    match error {
        ReplyError::ConnectionError(error) => lost(error),
        ReplyError::X11Error(error) => ScreenTrouble::Failed(format!("{:?}", error.error_kind)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_and_giant_pictures_become_frames() {
        let frame = |width: usize, height: usize| {
            let picture = Picture { width, height, pixels: vec![255; 4 * width * height] };
            picture.frame(MediaTime(5)).map(|frame| (frame.size().to_string(), frame.y()[0], frame.time().0))
        };
        assert_eq!(frame(641, 481), Some(("640x480".to_owned(), 235, 5)));
        assert_eq!(frame(5121, 33), Some(("2560x16".to_owned(), 235, 5)));
        assert_eq!(frame(15, 200), None);
        assert_eq!(frame(7680, 20), None, "a line is no picture");
    }
}
