"""Google Merchandise Store: prints the query whose export load('gstore') reads, or checks a file that you have.

Usage: python data_scripts/gstore.py            prints the query
       python data_scripts/gstore.py FILE...    reads the files as a stream and says what they hold
"""

import sys

from lib.data import DataError, load

QUERY = """\
-- Run in the warehouse and export the result as newline-delimited JSON (shards may be gzip; pass them all together).
SELECT fullVisitorId, visitId, visitNumber, visitStartTime,
  STRUCT(totals.transactions, totals.totalTransactionRevenue) AS totals,
  STRUCT(device.deviceCategory, device.operatingSystem, device.browser) AS device,
  STRUCT(geoNetwork.continent, geoNetwork.subContinent, geoNetwork.country) AS geoNetwork,
  ARRAY(SELECT AS STRUCT type, STRUCT(page.pagePath) AS page,
               STRUCT(eCommerceAction.action_type) AS eCommerceAction
        FROM UNNEST(hits) ORDER BY hitNumber) AS hits
FROM `bigquery-public-data.google_analytics_sample.ga_sessions_*`
WHERE _TABLE_SUFFIX BETWEEN '20160801' AND '20170801'
"""

if __name__ == "__main__":
    if len(sys.argv) == 1:
        print(QUERY)
    else:
        try:
            visits = load("gstore", path=sys.argv[1:], broken_share=0.001)
        except DataError as error:
            sys.exit(str(error))
        print(f"{len(visits):,} visits of {len(visits.visitors):,} visitors, {len(visits.page):,} pages seen,")
        print(f"{int((visits.transactions > 0).sum()):,} visits with a purchase, {visits.broken:,} broken rows")
