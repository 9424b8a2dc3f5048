package postgres

import (
	"reflect"
	"strconv"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

// planned reads a row as pgx does, but for the plans by which it reads each
// column: pgx makes those anew for every query, which is a third of the work
// when that gives one row, and here they are kept with the connection.
type planned []any // pointers, one for each column

// plan reads one column.
type plan struct {
	pgtype.ScanPlan
	oid    uint32
	format int16
	target reflect.Type
}

// ScanRow implements pgx.RowScanner.
func (targets planned) ScanRow(rows pgx.Rows) error {
	fields, values := rows.FieldDescriptions(), rows.RawValues()
	if len(fields) != len(targets) {
		return rows.Scan(targets...) // for its error
	}
	plans := plansOf(rows.Conn(), len(targets))
	for i, value := range values {
		if !plans[i].reads(fields[i], targets[i]) {
			plans[i] = newPlan(rows.Conn().TypeMap(), fields[i], targets[i])
		}
		if err := plans[i].Scan(value, targets[i]); err != nil {
			return pgx.ScanArgError{ColumnIndex: i, FieldName: fields[i].Name, Err: err}
		}
	}
	return nil
}

// plansOf returns the plans of rows with so many columns. Two kinds of rows with
// as many replace each other's where they differ.
func plansOf(conn *pgx.Conn, columns int) []plan {
	kept, key := conn.PgConn().CustomData(), "plans of "+strconv.Itoa(columns)
	plans, found := kept[key].([]plan)
	if !found {
		plans = make([]plan, columns)
		kept[key] = plans
	}
	return plans
}

func newPlan(types *pgtype.Map, field pgconn.FieldDescription, target any) plan {
	return plan{types.PlanScan(field.DataTypeOID, field.Format, target), field.DataTypeOID, field.Format, reflect.TypeOf(target)}
}

func (p plan) reads(field pgconn.FieldDescription, target any) bool {
	return p.ScanPlan != nil && p.oid == field.DataTypeOID && p.format == field.Format && p.target == reflect.TypeOf(target)
}
