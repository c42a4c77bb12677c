"""Whether a store's first list is in."""

import asyncio

from atmpl.kube.stores.store import BaseStore


async def test_a_store_is_synced_with_its_first_list_and_for_good() -> None:
    listing = BaseStore()
    assert (listing.is_served, listing.synced.is_set()) == (None, False)
    waiting = asyncio.create_task(listing.synced.wait())
    listing.served(yes=True)
    await waiting
    listing.served(yes=False)
    assert (listing.is_served, listing.synced.is_set()) == (False, True)


def test_an_api_that_is_not_served_counts_as_synced() -> None:
    listing = BaseStore()
    listing.served(yes=False)
    assert (listing.is_served, listing.synced.is_set()) == (False, True)
