"""F4: what a pull or a poll looks at, one file per source; `registry` names them."""
