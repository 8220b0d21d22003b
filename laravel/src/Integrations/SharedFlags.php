<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Integrations;

use Flagstone\Laravel\Config;
use Flagstone\Laravel\Flagstone;
use Illuminate\Contracts\Container\Container;
use Illuminate\Contracts\Support\Arrayable;
use Illuminate\Contracts\Support\Jsonable;
use JsonSerializable;

/**
 * The flags that a page may know: those named by `share` in config/flagstone.php, for the current subject, and no others. Asked
 * when it is rendered, and only looked at: a page that carries an answer has not shown the feature.
 *
 * @implements Arrayable<string, bool>
 */
final class SharedFlags implements Arrayable, Jsonable, JsonSerializable
{
    public function __construct(private readonly Flagstone $flagstone, private readonly Container $container)
    {
    }

    /** @return array<string, bool> */
    public function toArray(): array
    {
        $questions = $this->flagstone->peek();
        $flags = [];
        foreach (Config::of($this->container)->flags('share') as $flag) {
            $flags[Flagstone::key($flag)] = $questions->enabled($flag);
        }

        return $flags;
    }

    /** Returns an object, even if it is empty. */
    public function jsonSerialize(): object
    {
        return (object) $this->toArray();
    }

    /** Encodes for use within a script element. */
    public function toJson($options = 0): string
    {
        $safe = \JSON_HEX_TAG | \JSON_HEX_AMP | \JSON_HEX_APOS | \JSON_HEX_QUOT;

        return \json_encode($this, $options | $safe | \JSON_THROW_ON_ERROR);
    }
}
