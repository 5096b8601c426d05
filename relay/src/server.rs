//! The sockets: what a connection may cost, and how the relay stops.

use std::{
    io,
    net::SocketAddr,
    sync::Arc,
    task::{Context, Poll},
};

use axum::Router;
use axum_server::{Handle, accept::Accept};
use hyper_util::rt::TokioTimer;
use tokio::net::TcpStream;
use tower::Service;

use crate::{
    config::Patience,
    doorman::Origin,
    patient::Patient,
    slots::{Slot, Slots},
};

/// Most bytes of a request's head, and of one read: a head of ours has a few hundred.
const BUFFER: usize = 64 * 1024;

/// Serves until the handle says stop.
pub(crate) async fn serve(
    listener: std::net::TcpListener,
    router: Router,
    handle: Handle<SocketAddr>,
    slots: Slots,
    patience: Patience,
) -> io::Result<()> {
    let admit = Admit { slots, patience };
    // Without TLS nobody negotiates HTTP/2, and telling the versions apart by the first bytes would wait for them without end.
    let mut server = axum_server::from_tcp(listener)?.acceptor(admit).handle(handle).http1_only();
    server.http_builder().http1().timer(TokioTimer::new()).header_read_timeout(patience.head).max_buf_size(BUFFER);
    server.serve(router.into_make_service_with_connect_info::<SocketAddr>()).await
}

/// Admits so many connections and no more, each without Nagle's delay.
#[derive(Clone, Debug)]
struct Admit {
    slots: Slots,
    patience: Patience,
}

impl<S> Accept<TcpStream, S> for Admit {
    type Stream = Patient<TcpStream>;
    type Service = Admitted<S>;
    type Future = std::future::Ready<io::Result<(Patient<TcpStream>, Admitted<S>)>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        let admitted = || {
            let slot = self.slots.take(Origin::of(stream.peer_addr()?.ip())).map_err(io::Error::other)?;
            stream.set_nodelay(true)?;
            Ok((Patient::new(stream, self.patience.stalled), Admitted { service, _slot: Arc::new(slot) }))
        };
        std::future::ready(admitted())
    }
}

/// The service of one connection; its slot is free again once the connection is gone.
#[derive(Clone, Debug)]
struct Admitted<S> {
    service: S,
    _slot: Arc<Slot>,
}

impl<S: Service<R>, R> Service<R> for Admitted<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.service.poll_ready(context)
    }

    fn call(&mut self, request: R) -> S::Future {
        self.service.call(request)
    }
}
