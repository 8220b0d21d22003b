<?php

// A million ids from all of 64 bits, the same each time.

mt_srand(7);

return array_map(fn () => mt_rand() << 32 | mt_rand(), range(1, 1_000_000));
