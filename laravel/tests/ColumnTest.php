<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests;

use Flagstone\Laravel\Subject\Column;
use Illuminate\Database\Eloquent\Model;
use PHPUnit\Framework\Attributes\DataProvider;

/**
 * A company's key is read from a model's row only where the model gives the same.
 */
final class ColumnTest extends TestCase
{
    /** @return array<string, array{object, bool}> and whether its row is read */
    public static function models(): array
    {
        $row = ['id' => 7, 'company_id' => 15];
        $model = static fn (array $row, array $casts = []): Model => (new class () extends Model {
            protected $guarded = [];
        })->forceFill($row)->mergeCasts($casts);

        return [
            'an int' => [$model($row), true],
            'a string' => [$model(['company_id' => 'acme']), true],
            'an int cast to an int' => [$model($row, ['company_id' => 'integer']), true],
            'a string cast to a string' => [$model(['company_id' => 'acme'], ['company_id' => 'string']), true],
            'a string cast to an int' => [$model(['company_id' => '15'], ['company_id' => 'int']), false],
            'an int cast to a string' => [$model($row, ['company_id' => 'string']), false],
            'an int cast to a bool' => [$model($row, ['company_id' => 'boolean']), false],
            'none' => [$model(['id' => 7]), false],
            'null' => [$model(['company_id' => null]), false],
            'an accessor' => [(new class () extends Model {
                public function getCompanyIdAttribute(int $id): int
                {
                    return $id + 1;
                }
            })->forceFill($row), false],
            'a method that may be an accessor' => [(new class () extends Model {
                public function companyId(): int
                {
                    return 16;
                }
            })->forceFill($row), false],
            'attributes of its own' => [(new class () extends Model {
                public function getAttribute($key)
                {
                    return $key === 'company_id' ? 16 : parent::getAttribute($key);
                }
            })->forceFill($row), false],
            'casts of its own' => [(new class () extends Model {
                public function getCasts()
                {
                    return ['company_id' => 'string'];
                }
            })->forceFill($row), false],
            'its key' => [(new class () extends Model {
                protected $primaryKey = 'company_id';
            })->forceFill(['company_id' => '15']), false],
            'no model' => [(object) $row, false],
        ];
    }

    /** @dataProvider models */
    #[DataProvider('models')]
    public function test_it_is_what_the_model_gives_or_left_to_the_model(object $model, bool $read): void
    {
        $found = (new Column('company_id'))->of($model);

        $this->assertSame($read, $found !== null);
        if ($read) {
            $this->assertSame($model->company_id, $found);
        }
    }
}
