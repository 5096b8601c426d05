//! How many requests were answered, by route, method and status.
//!
//! Routes are counted as the router knows them, `/v1/calls/{id}`, so there are as many as that has, whatever is asked for.

use std::{
    collections::BTreeMap,
    sync::{
        PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};

use axum::{
    extract::{MatchedPath, Request, State},
    http::{Method, StatusCode},
    middleware::Next,
    response::Response,
};

use crate::app::App;

/// What all other methods are counted as.
const OTHER: &str = "other";

/// The methods of the routes.
const METHODS: [&str; 3] = ["GET", "POST", "DELETE"];

/// The statuses a relay gives: success and those of the refusals.
const STATUSES: [u16; 13] = [200, 400, 401, 403, 404, 405, 409, 410, 413, 429, 431, 500, 503];

/// One more each for whatever isn't in the lists.
const CELLS: usize = (METHODS.len() + 1) * (STATUSES.len() + 1);

/// The counters of each route.
#[derive(Debug, Default)]
pub(crate) struct Requests(RwLock<BTreeMap<String, Route>>);

#[derive(Debug)]
struct Route([AtomicU64; CELLS]);

/// Counts a request once it is answered; one whose client goes away before isn't.
pub(crate) async fn count(State(app): State<App>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().cloned();
    let method = request.method().clone();
    let response = next.run(request).await;
    let route = route.as_ref().map_or(OTHER, MatchedPath::as_str);
    app.metrics.requests.add(route, &method, response.status());
    response
}

impl Requests {
    /// Counts one.
    pub(crate) fn add(&self, route: &str, method: &Method, status: StatusCode) {
        let method = METHODS.iter().position(|known| method.as_str() == *known).unwrap_or(METHODS.len());
        let status = STATUSES.iter().position(|known| status.as_u16() == *known).unwrap_or(STATUSES.len());
        let cell = method * (STATUSES.len() + 1) + status;
        let counted = self.0.read().unwrap_or_else(PoisonError::into_inner).get(route).map(|route| route.add(cell));
        if counted.is_none() {
            let mut routes = self.0.write().unwrap_or_else(PoisonError::into_inner);
            routes.entry(route.to_owned()).or_insert_with(|| Route([const { AtomicU64::new(0) }; CELLS])).add(cell);
        }
    }

    /// Gives each count that isn't 0, with its route, method and status.
    pub(crate) fn each(&self, mut give: impl FnMut(&str, &str, &str, u64)) {
        for (path, route) in self.0.read().unwrap_or_else(PoisonError::into_inner).iter() {
            for (cell, count) in route.0.iter().enumerate() {
                let count = count.load(Ordering::Relaxed);
                if count > 0 {
                    let method = METHODS.get(cell / (STATUSES.len() + 1)).copied().unwrap_or(OTHER);
                    let status = STATUSES.get(cell % (STATUSES.len() + 1)).map_or(OTHER.to_owned(), u16::to_string);
                    give(path, method, &status, count);
                }
            }
        }
    }
}

impl Route {
    fn add(&self, cell: usize) {
        if let Some(count) = self.0.get(cell) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_route_method_and_status_has_its_count() {
        let requests = Requests::default();
        requests.add("/b", &Method::GET, StatusCode::OK);
        requests.add("/a", &Method::DELETE, StatusCode::SERVICE_UNAVAILABLE);
        requests.add("/b", &Method::GET, StatusCode::OK);
        requests.add("/b", &Method::PATCH, StatusCode::IM_A_TEAPOT);
        let mut lines = Vec::new();
        requests.each(|route, method, status, count| lines.push(format!("{route} {method} {status} {count}")));
        assert_eq!(lines, ["/a DELETE 503 1", "/b GET 200 2", "/b other other 1"]);
    }
}
