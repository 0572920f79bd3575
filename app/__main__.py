"""`python -m app` is `onrecord`."""

from app.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
