<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Models;

use Flagstone\Laravel\Flagstone;
use Flagstone\Laravel\Questions;
use Flagstone\Laravel\Subject\Company;
use Illuminate\Container\Container;
use UnitEnum;

/**
 * For the model that is a company: $company->hasFeature('customer_portal').
 *
 * A method flagstoneContext() on the model returns the attributes that rules read: ['plan' => $this->plan].
 *
 * @phpstan-require-extends \Illuminate\Database\Eloquent\Model
 */
trait HasFeatures
{
    /** @param array<string, mixed> $context attributes in addition to the model's own */
    public function hasFeature(string|UnitEnum $flag, array $context = []): bool
    {
        return $this->flagstone()->enabled($flag, $context);
    }

    /** Returns the variant of the flag that this company is shown; null if it is off or has none. */
    public function featureVariant(string|UnitEnum $flag): ?string
    {
        return $this->flagstone()->variant($flag);
    }

    /** Returns all questions, asked for this company. A method features() would hide a model's relation or column of that name. */
    public function flagstone(): Questions
    {
        return Container::getInstance()->make(Flagstone::class)->for($this);
    }

    /** Returns the company's id in flags.json. */
    public function flagstoneCompany(): int|string|null
    {
        return Company::ofModel($this, $this->getKey());
    }
}
