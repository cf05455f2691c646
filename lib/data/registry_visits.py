"""Registry entries of visits to shops. Data only, no code."""

from lib.data.entries import DataFile, DataSet

GSTORE = DataSet(
    name="gstore",
    title="Google Merchandise Store: about 1.7 million visits with their pages (second version of the competition), or "
    "903,653 without",
    licence="competition rules, no redistribution; the warehouse's sample under Google's terms (texts not read by us)",
    page="https://www.kaggle.com/c/ga-customer-revenue-prediction",
    by_hand="train_v2.csv (about 25 GB) comes from the competition ga-customer-revenue-prediction (account needed), or "
    "export the tables bigquery-public-data.google_analytics_sample.ga_sessions_* as JSON lines with the query that "
    "data_scripts/gstore.py prints; pass it as load('gstore', path=PATH). The checksums of these files are not known "
    "to us: pass yours as sha256=... to have the file verified",
)

ONLINE_SHOPPERS = DataSet(
    name="online-shoppers",
    title="Online Shoppers Purchasing Intention, 12,330 sessions of different users with 18 fields, no page sequences",
    licence="CC BY 4.0 (UCI)",
    page="https://archive.ics.uci.edu/dataset/468/online+shoppers+purchasing+intention+dataset",
    by_hand="online-shoppers/online_shoppers_intention.csv comes in the zip archive of the page: run "
    "data_scripts/online_shoppers.py, or put it there and run that script",
    files=(
        # Its checksum is not known to us: the script checks the content and records what it found.
        DataFile("online-shoppers/online_shoppers_intention.csv", 0, "", derived=True),
    ),
)

VISITS = (GSTORE, ONLINE_SHOPPERS)
