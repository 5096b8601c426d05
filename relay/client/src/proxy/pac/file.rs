//! Fetching a PAC file: from this machine, or from a web server, which is asked directly.

use std::{path::Path, sync::Arc};

use bytes::Bytes;
use http::{Request, Uri};
use http_body_util::{BodyExt, Full, Limited};
use tokio::io::AsyncReadExt;
use url::Url;

use crate::{
    error::BadPac,
    http::pool::{self, Purpose},
    proxy::Route,
    trust::{Shown, Trust},
};

/// Largest file, in bytes: browsers take as much, and the largest ones known list some thousand hosts.
const FILE_MAX: usize = 1 << 20;

/// The text of the file at this URL (`http`, `https` or `file`) or path.
pub(super) async fn read(file: &str) -> Result<String, BadPac> {
    let bytes = match Url::parse(file) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => fetch(&url).await?,
        Ok(url) if url.scheme() == "file" => match url.to_file_path() {
            Ok(path) => open(&path).await?,
            Err(()) => return Err(BadPac::Unreadable("the address names no file of this machine".to_owned())),
        },
        // Neither is a drive's letter a scheme.
        Ok(url) if url.scheme().len() > 1 => {
            return Err(BadPac::Unreadable(format!("{}: isn't spoken here, but http, https and file are", url.scheme())));
        }
        _ => open(Path::new(file)).await?,
    };
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

async fn open(path: &Path) -> Result<Vec<u8>, BadPac> {
    let unreadable = |error: std::io::Error| BadPac::Unreadable(error.to_string());
    let file = tokio::fs::File::open(path).await.map_err(unreadable)?;
    let mut bytes = Vec::new();
    file.take(FILE_MAX as u64 + 1).read_to_end(&mut bytes).await.map_err(unreadable)?;
    if bytes.len() > FILE_MAX { Err(BadPac::TooLarge(FILE_MAX)) } else { Ok(bytes) }
}

async fn fetch(url: &Url) -> Result<Vec<u8>, BadPac> {
    let unreadable = |error: &dyn std::fmt::Display| BadPac::Unreadable(error.to_string());
    let tls = Trust::system().config(url, Shown::default()).map_err(|error| unreadable(&error))?;
    let uri = Uri::try_from(url.as_str()).map_err(|error| unreadable(&error))?;
    let mut request = Request::new(Full::<Bytes>::default().boxed());
    *request.uri_mut() = uri;
    let client = pool::build(&Route::Direct, None, Purpose::Media, Arc::new(tls));
    let response = client.request(request).await.map_err(|_| BadPac::Unreadable("its server can't be reached".to_owned()))?;
    if !response.status().is_success() {
        return Err(BadPac::Unreadable(format!("its server answers with status {}", response.status().as_u16())));
    }
    let body = Limited::new(response.into_body(), FILE_MAX).collect().await;
    match body {
        Ok(body) => Ok(body.to_bytes().into()),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => Err(BadPac::TooLarge(FILE_MAX)),
        Err(error) => Err(unreadable(&error)),
    }
}
