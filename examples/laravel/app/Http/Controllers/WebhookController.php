<?php

declare(strict_types=1);

namespace App\Http\Controllers;

use Flagstone\Laravel\Facades\Flagstone;
use Illuminate\Http\JsonResponse;
use Illuminate\Http\Request;

/**
 * The payment provider reports here. It must be heard whatever the flag says: the flag only decides whether the company
 * finds the receipt in its portal or gets it by mail.
 */
class WebhookController
{
    public function payment(Request $request): JsonResponse
    {
        $receipt = Flagstone::actingFor(
            $request->input('company'),
            static fn (): string => Flagstone::enabled('customer_portal') ? 'portal' : 'mail',
        );

        return new JsonResponse(['received' => true, 'receipt' => $receipt]);
    }
}
