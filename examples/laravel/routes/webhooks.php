<?php

declare(strict_types=1);

use App\Http\Controllers\WebhookController;
use Illuminate\Support\Facades\Route;

// Without session and CSRF token: a machine calls. A real one checks the provider's signature here.
Route::post('/webhooks/payment', [WebhookController::class, 'payment']);
