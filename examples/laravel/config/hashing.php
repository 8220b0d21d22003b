<?php

return [
    'driver' => 'bcrypt',
    // Cheap, since the password is known anyway.
    'bcrypt' => ['rounds' => 4],
];
