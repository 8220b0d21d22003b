<?php

return [
    'default' => 'sqlite',
    'connections' => [
        'sqlite' => ['driver' => 'sqlite', 'database' => env('DB_DATABASE', storage_path('portal.sqlite')), 'prefix' => ''],
    ],
    'migrations' => 'migrations',
];
