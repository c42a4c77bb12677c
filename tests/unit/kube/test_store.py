"""Whether the first list of a store is complete."""

import asyncio

from tests.support.recording_store import RecordingStore


async def test_store_stays_synced_after_its_first_list() -> None:
    listing = RecordingStore()
    assert (listing.is_served, listing.synced.is_set()) == (None, False)
    waiting = asyncio.create_task(listing.synced.wait())
    listing.mark_synced(served=True)
    await waiting
    listing.mark_synced(served=False)
    assert (listing.is_served, listing.synced.is_set()) == (False, True)


def test_store_of_an_absent_api_is_synced() -> None:
    listing = RecordingStore()
    listing.mark_synced(served=False)
    assert (listing.is_served, listing.synced.is_set()) == (False, True)
