"""Made-up visits in the exact published forms of the Google Merchandise Store, for tests and for timing."""

import csv
import io
import json
from collections.abc import Iterable

import numpy as np

DEMO = "not available in demo dataset"
COLUMNS = ("channelGrouping", "customDimensions", "date", "device", "fullVisitorId", "geoNetwork", "hits",
           "socialEngagementType", "totals", "trafficSource", "visitId", "visitNumber", "visitStartTime")  # fmt: skip
FIRST = ("channelGrouping", "date", "device", "fullVisitorId", "geoNetwork", "sessionId", "socialEngagementType",
         "totals", "trafficSource", "visitId", "visitNumber", "visitStartTime")  # fmt: skip
NAMES = ("Google Men's 100% Cotton Short Sleeve Hero Tee Black", "Waterpoof Gear Bag", '15" Laptop Sleeve',
         "26 oz Double Wall Insulated Bottle", "YouTube Twill Cap")  # fmt: skip


def hit(path: str, number: int = 1, *, kind: str = "PAGE", action: str = "0", title: str = "Home", products: int = 0):
    """Return one hit in the order of the official fields, numbers as strings."""
    sold = [
        {"productSKU": f"GGOEGAAX{place:04d}", "v2ProductName": NAMES[place % len(NAMES)],
         "v2ProductCategory": "Home/Apparel/Men's/", "productVariant": "(not set)", "productBrand": "(not set)",
         "productPrice": "23990000", "localProductPrice": "23990000", "isImpression": True, "customDimensions": [],
         "customMetrics": [], "productListName": "Category", "productListPosition": str(place + 1)}
        for place in range(products)
    ]  # fmt: skip
    screen = f"shop.googlemerchandisestore.com{path}"
    groups = {f"contentGroup{place}": "(not set)" for place in range(1, 6)}
    before = {f"previousContentGroup{place}": "(entrance)" for place in range(1, 6)}
    return {
        "hitNumber": str(number), "time": "0", "hour": "17", "minute": "7", "isInteraction": True, "isEntrance": True,
        "isExit": True, "referer": "https://www.google.co.uk/search?q=water+bottle&ie=utf-8&num=100",
        "page": {"pagePath": path, "hostname": "shop.googlemerchandisestore.com", "pageTitle": title,
                 "pagePathLevel1": "/google+redesign/", "pagePathLevel2": "/bags/", "pagePathLevel3": "",
                 "pagePathLevel4": ""},
        "transaction": {"currencyCode": "USD"}, "item": {"currencyCode": "USD"},
        "appInfo": {"screenName": screen, "landingScreenName": screen, "exitScreenName": screen, "screenDepth": "0"},
        "exceptionInfo": {"isFatal": True}, "product": sold, "promotion": [],
        "eCommerceAction": {"action_type": action, "step": "1"}, "experiment": [], "customVariables": [],
        "customDimensions": [], "customMetrics": [], "type": kind,
        "social": {"socialNetwork": "(not set)", "hasSocialSourceReferral": "No",
                   "socialInteractionNetworkAction": " : "},
        "contentGroup": groups | before | {"contentGroupUniqueViews2": "1"}, "dataSource": "web", "publisher_infos": [],
    }  # fmt: skip


def visit(visitor: str = "0012345678901234567", hits: list[dict] | None = None, *, start: int = 1_508_198_450,
          number: int = 1, device: str = "desktop", system: str = "Windows", browser: str = "Firefox",
          country: str = "Germany", domain: str = "(not set)", transactions: int = 0,
          revenue: int = 0) -> dict:  # fmt: skip
    """Return one visit as a nested record, numbers as strings as both published forms have them."""
    hits = [hit("/home")] if hits is None else hits
    demo = dict.fromkeys(("browserVersion", "browserSize"), DEMO)
    rest = dict.fromkeys(("mobileDeviceBranding", "mobileDeviceModel", "mobileInputSelector", "mobileDeviceInfo",
                          "mobileDeviceMarketingName", "flashVersion", "language", "screenColors",
                          "screenResolution"), DEMO)  # fmt: skip
    totals = {"visits": "1", "hits": str(len(hits)), "pageviews": str(len(hits)), "timeOnSite": str(start % 997)}
    if transactions:
        totals |= {"transactions": str(transactions), "transactionRevenue": str(revenue)}
        totals |= {"totalTransactionRevenue": str(revenue)}
    return {
        "channelGrouping": "Organic Search", "customDimensions": [{"index": "4", "value": "EMEA"}], "date": "20171016",
        "device": {"browser": browser} | demo | {"operatingSystem": system, "operatingSystemVersion": DEMO,
                   "isMobile": device != "desktop"} | rest | {"deviceCategory": device},
        "fullVisitorId": visitor,
        "geoNetwork": {"continent": "Europe", "subContinent": "Western Europe", "country": country, "region": DEMO,
                       "metro": DEMO, "city": DEMO, "cityId": DEMO, "networkDomain": domain, "latitude": DEMO,
                       "longitude": DEMO, "networkLocation": DEMO},
        "hits": hits, "sessionId": f"{visitor}_{start}", "socialEngagementType": "Not Socially Engaged",
        "totals": totals,
        "trafficSource": {"campaign": "(not set)", "source": "google", "medium": "organic",
                          "keyword": 'water, "bottle"', "adwordsClickInfo": {"criteriaParameters": DEMO}},
        "visitId": str(start), "visitNumber": str(number), "visitStartTime": str(start),
    }  # fmt: skip


def csv_bytes(visits: Iterable[dict], *, first: bool = False, header: bool = True) -> bytes:
    """Return the competition's CSV: JSON in four columns, Python literals in two (none in the first version)."""
    columns, text = FIRST if first else COLUMNS, io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    if header:
        writer.writerow(columns)
    for made in visits:
        cells = {name: json.dumps(made[name]) for name in ("device", "geoNetwork", "totals", "trafficSource")}
        cells |= {name: repr(made[name]) for name in ("hits", "customDimensions")}
        writer.writerow([cells.get(name, made[name]) for name in columns])
    return text.getvalue().encode()


def json_lines(visits: Iterable[dict], *, lean: bool = False) -> bytes:
    """Return the warehouse's export; `lean` has the fields of the query that data_scripts/gstore.py prints only."""
    return b"".join(
        json.dumps(lean_visit(made) if lean else made, separators=(",", ":")).encode() + b"\n" for made in visits
    )


def lean_visit(made: dict) -> dict:
    """Return the fields of a visit that are read."""
    found = {name: made[name] for name in ("fullVisitorId", "visitId", "visitNumber", "visitStartTime")}
    totals = {
        name: made["totals"][name] for name in ("transactions", "totalTransactionRevenue") if name in made["totals"]
    }
    device = {name: made["device"][name] for name in ("deviceCategory", "operatingSystem", "browser")}
    place = {name: made["geoNetwork"][name] for name in ("continent", "subContinent", "country")}
    hits = [
        {"type": one["type"], "page": {"pagePath": one["page"]["pagePath"]},
         "eCommerceAction": {"action_type": one["eCommerceAction"]["action_type"]}}
        for one in made["hits"]
    ]  # fmt: skip
    return found | {"totals": totals, "device": device, "geoNetwork": place, "hits": hits}


def made_visits(count: int, *, seed: int = 0, products: int = 7) -> list[dict]:
    """Return visits of the official sizes in the mean: 4.6 hits and, with 0 to 7 products a hit, 14.9 kB of CSV.

    The second version has about 25.4 GB for 1,708,337 visits; the first, without hits, about 1.5 GB for 903,653.
    """
    rng, visits = np.random.default_rng(seed), []
    for place in range(count):
        hits = [
            hit(f"/google+redesign/shop+{rng.integers(300)}", number, kind="PAGE" if rng.random() < 0.8 else "EVENT",
                title="Men's Apparel", products=rng.integers(products + 1))
            for number in range(1, 1 + rng.geometric(1 / 4.6))
        ]  # fmt: skip
        bought = rng.random() < 0.013
        if bought:
            hits.append(hit("/ordercompleted.html", len(hits) + 1, action="6"))
        visits.append(
            visit(
                f"{rng.integers(10**18):019d}", hits, start=1_470_000_000 + place * 30, transactions=int(bought),
                revenue=int(bought) * 37_860_000, device=("desktop", "mobile")[int(rng.random() < 0.3)],
                country=f"Country {rng.integers(150)}", domain=f"net{rng.integers(20_000)}.example",
            )
        )  # fmt: skip
    return visits
