//! How a call's lanes end.

use proto::{ErrorCode, Kind};
use relay_client::lanes::LaneState;

use super::{Open, Told};
use crate::{
    fake::{Fake, chunk, chunks, never, refusal},
    soon,
};

async fn ended_by(code: ErrorCode, by_upload: bool) {
    let fake = Fake::serve(move |seen| async move {
        if seen.is_upload(Kind::Audio) == by_upload {
            return refusal(code, None);
        }
        if seen.number("wait_ms") == 0 { chunks(&[]) } else { never().await }
    })
    .await;
    let mut open = Open::at(&fake.url);
    if by_upload {
        assert!(matches!(open.state().await, LaneState::Live));
        open.lanes.publish(chunk(1, Kind::Audio, 0));
    }
    match open.state().await {
        LaneState::Ended { reason } => assert_eq!(reason.code(), Some(code)),
        other => panic!("{other:?}"),
    }
    // What is published now goes nowhere, and the channel's end shows that nothing is told any more.
    open.lanes.publish(chunk(1, Kind::Audio, 1));
    soon(open.lanes.close()).await;
    let after: Vec<_> = std::iter::from_fn(|| open.told.try_recv().ok()).collect();
    assert!(!after.iter().any(|told| matches!(told, Told::State(_) | Told::Uploaded(..))), "{after:?}");
}

#[tokio::test]
async fn a_call_that_is_gone_ends_the_lanes() {
    ended_by(ErrorCode::NotFound, false).await;
    ended_by(ErrorCode::Forbidden, true).await;
}

#[tokio::test]
async fn a_session_that_is_over_ends_the_lanes() {
    ended_by(ErrorCode::Unauthorized, false).await;
    ended_by(ErrorCode::Unauthorized, true).await;
}
