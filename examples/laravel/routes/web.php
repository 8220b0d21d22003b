<?php

declare(strict_types=1);

use App\Http\Controllers\AdminController;
use App\Http\Controllers\LoginController;
use App\Http\Controllers\PortalController;
use Illuminate\Support\Facades\Route;

Route::view('/', 'home');
Route::get('/login', [LoginController::class, 'show'])->name('login');
Route::post('/login', [LoginController::class, 'login']);
Route::post('/logout', [LoginController::class, 'logout']);

// As it was with the hand-made middleware: nothing here changes.
Route::middleware(['auth', 'feature:customer_portal'])->prefix('portal')->group(function (): void {
    Route::get('/', [PortalController::class, 'show']);
    Route::get('/invoices/{invoice}', [PortalController::class, 'invoice']);
});

Route::view('/account', 'account')->middleware('auth');
Route::get('/admin/companies', [AdminController::class, 'companies'])->middleware(['auth', 'can:administer']);
