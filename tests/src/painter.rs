//! A program with a window on a display, which shows pictures that tell when they were drawn.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use codecs::{Color, Frame, MediaTime, Size, convert};
use media::{barcode, camera::unix_micros};
use x11rb::{
    COPY_DEPTH_FROM_PARENT,
    connection::Connection as _,
    protocol::xproto::{
        AtomEnum, ConfigureWindowAux, ConnectionExt as _, CreateGCAux, CreateWindowAux, Gcontext, ImageFormat, PropMode,
        StackMode, Window, WindowClass,
    },
    rust_connection::RustConnection,
    wrapper::ConnectionExt as _,
};

use crate::display::Display;

/// How often it draws.
const EVERY: Duration = Duration::from_millis(100);

/// A window that shows the time. It is gone once this is dropped.
pub struct Painter {
    window: Window,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Painter {
    /// Opens a window of that size there. Half of it is `covered` by another one, so that it isn't to be seen on the display itself.
    pub fn start(display: &Display, (x, y): (i16, i16), size: Size, covered: bool) -> Self {
        let (connection, screen) = x11rb::connect(Some(display.name())).expect("the display is there");
        let (root, depth) = (connection.setup().roots[screen].root, connection.setup().roots[screen].root_depth);
        let (width, height) = (u16::try_from(size.width).expect("narrow"), u16::try_from(size.height).expect("low"));
        let open = |name: &str, width, height| {
            let window = connection.generate_id().expect("an id");
            let (aux, class) = (CreateWindowAux::new(), WindowClass::INPUT_OUTPUT);
            connection.create_window(COPY_DEPTH_FROM_PARENT, window, root, x, y, width, height, 0, class, 0, &aux).expect("sent");
            connection
                .change_property8(PropMode::REPLACE, window, AtomEnum::WM_NAME, AtomEnum::STRING, name.as_bytes())
                .expect("sent");
            connection.map_window(window).expect("sent").check().expect("it is shown");
            window
        };
        let window = open("Timecode", width, height);
        if covered {
            let cover = open("Cover", width / 2, height);
            let above = ConfigureWindowAux::new().stack_mode(StackMode::ABOVE);
            connection.configure_window(cover, &above).expect("sent").check().expect("it covers");
        }
        let context = connection.generate_id().expect("an id");
        connection.create_gc(context, window, &CreateGCAux::new()).expect("sent");
        let canvas = Canvas { connection, window, context, depth, size };
        canvas.draw();
        let over = Arc::new(AtomicBool::new(false));
        let ended = Arc::clone(&over);
        let thread = std::thread::spawn(move || {
            while !ended.load(Ordering::Relaxed) {
                canvas.draw();
                std::thread::sleep(EVERY);
            }
        });
        Self { window, over, thread: Some(thread) }
    }

    /// As `--screen` takes it.
    pub fn spec(&self) -> String {
        format!("x11:{:#x}", self.window)
    }
}

impl Drop for Painter {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // Its windows end with its connection.
            thread.join().expect("it has drawn all the time");
        }
    }
}

struct Canvas {
    connection: RustConnection,
    window: Window,
    context: Gcontext,
    depth: u8,
    size: Size,
}

impl Canvas {
    fn draw(&self) {
        let mut frame = Frame::new(self.size, Color::default(), MediaTime::ZERO);
        let (luma, u, v) = frame.planes_mut();
        luma.fill(180);
        u.fill(128);
        v.fill(128);
        barcode::draw(&mut frame, unix_micros());
        let mut pixels = Vec::new();
        convert::rgba(&frame, &mut pixels).expect("a frame has colours");
        // It's grey, so red and blue need not change places.
        let (width, height) = (self.size.width as u16, self.size.height as u16);
        let (connection, format) = (&self.connection, ImageFormat::Z_PIXMAP);
        let put = connection.put_image(format, self.window, self.context, width, height, 0, 0, 0, self.depth, &pixels);
        put.expect("sent").check().expect("it is drawn");
    }
}
