<?php

declare(strict_types=1);

\error_reporting(\E_ALL);
require __DIR__ . '/../../polyfill/bootstrap.php';
require __DIR__ . '/TestCase.php';
