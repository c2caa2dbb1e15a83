"""Tables as people write them: read as they are meant, or refused with file, place and what to do."""

import csv
import io

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from confuselt.sheets.read import check_counters, columns_of, header_of, read_matrix, read_sheet
from confuselt.sheets.words import MISSING, said


def table(folder, text, name="t.csv", encoding="utf-8"):
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize(
    "text",
    [
        "patient_id, a , b\n007,1,x\n",
        '"patient_id" ,"a","b"\n'.replace('" ,', '",') + "007 , 1 ,x \n",
        "\ufeffpatient_id,a,b\r\n007,1,x\r\n",
        "patient_id,a,b\n\n007,1,x\n,,\n \n",
        "patient_id,a,b,,\n007,1,x,,\n",
        "patient_id,a,b\n007,1,x,,,\n",
        "patient_id,a,b\n007,1,x,\n",
        ",patient_id,a,b\n0,007,1,x\n",
        "Unnamed: 0,patient_id,a,b\n0,007,1,x\n",
        "patient_id,a,b\nr1,007,1,x\n",  # R's write.table: no name over the row names
        "patient_id\u200b,a,b\n\u00a0007\u00a0,1,x\n",
    ],
)
def test_header_and_rows_are_read_by_one_parser(tmp_path, text):
    path = table(tmp_path, text)
    assert columns_of(path) == ["patient_id", "a", "b"]
    assert read_sheet(path).to_dict("records") == [{"patient_id": "007", "a": "1", "b": "x"}]


def test_a_comma_in_quotes_is_part_of_a_name_and_of_a_value(tmp_path):
    path = table(tmp_path, 'patient_id,"stage, pathological",note\nP1,"II, A","said ""no"""\n')
    assert columns_of(path) == ["patient_id", "stage, pathological", "note"]
    assert read_sheet(path).iloc[0].tolist() == ["P1", "II, A", 'said "no"']


@pytest.mark.parametrize(
    ("text", "said_"),
    [
        ("patient_id,a\nP1,1\nP2\n", "t.csv: row 2 has 1 cells, the header has 2"),
        ("patient_id,a\nP1,1,2\nP2,3\n", "t.csv: row 2 has 2 cells, the header has 3"),
        ("patient_id,a\nP1,1\nP2,3,4\n", "t.csv: row 2 has 3 cells, the header has 2"),
        ('patient_id,a\nP1,"1\nP2,3\n', "t.csv: line 3 cannot be read .*quote"),
        ("patient_id;a\nP1;1\n", "separated by semicolons, wanted is commas"),
        ("patient_id\ta\nP1\t1\n", "separated by tabs, wanted is commas"),
        ("", "the file has no row"),
        ("\n \n", "the file has no row"),
        ("patient_id,a\nP1,\0\n", "t.csv"),
    ],
)
def test_what_is_no_table_is_refused_with_its_place(tmp_path, text, said_):
    with pytest.raises(ValueError, match=said_):
        read_sheet(table(tmp_path, text))


def test_other_encodings_and_other_files_are_named(tmp_path):
    for encoding in ("cp1252", "utf-16"):
        with pytest.raises(ValueError, match="t.csv: .*UTF-8"):
            read_sheet(table(tmp_path, "patient_id,größe\nP1,1\n", encoding=encoding))
    (tmp_path / "t.parquet").write_bytes(b"no parquet")
    with pytest.raises(ValueError, match="t.parquet: cannot be read as Parquet"):
        columns_of(tmp_path / "t.parquet")


def test_a_name_that_stands_twice_is_refused_where_it_is_asked_for(tmp_path):
    path = table(tmp_path, "patient_id,X,X\nP1,1,2\n")
    assert columns_of(path) == ["patient_id", "X", "X"] and read_sheet(path, ["patient_id"])["patient_id"].tolist() == [
        "P1"
    ]
    with pytest.raises(ValueError, match="column 'X' stands 2 times \\(columns 2, 3\\)"):
        read_sheet(path)
    found = read_matrix(path, ("patient_id",))
    assert found.names == ["X", "X"] and found.values.tolist() == [[1, 2]]


@pytest.mark.parametrize(
    "word",
    ["", " ", "NA", "na", "[Not Available]", "'--", "NULL", "NaN", "#N/A", "Unknown", "not reported", "-", "None", "?"],
)
def test_one_list_of_words_for_nothing(tmp_path, word):
    path = table(tmp_path, f"patient_id,a\nP1,{word}\nP2,3\n")
    assert read_sheet(path)["a"].tolist() == [None, "3"]
    pd.DataFrame({"patient_id": ["P1", "P2"], "a": [word, "3"]}).to_parquet(tmp_path / "t.parquet")
    assert read_sheet(tmp_path / "t.parquet")["a"].tolist() == [None, "3"]
    np.testing.assert_array_equal(read_matrix(path, ("patient_id",)).values, [[np.nan], [3]])
    np.testing.assert_array_equal(read_matrix(tmp_path / "t.parquet", ("patient_id",)).values, [[np.nan], [3]])


def test_words_in_a_table_of_numbers(tmp_path):
    path = table(tmp_path, "patient_id,a,site\nP1,1,Basel\nP2,2,Bern\n")
    with pytest.raises(ValueError, match="columns 'site' are not numeric"):
        read_matrix(path, ("patient_id",))
    np.testing.assert_array_equal(
        read_matrix(table(tmp_path, "patient_id,a\nP1,1\nP2,x\nP3,2\n"), ("patient_id",)).values[:, 0], [1, np.nan, 2]
    )


def test_a_column_that_numbers_the_rows_is_no_measurement(tmp_path):
    rows = range(12)
    for first in (0, 1):
        pd.DataFrame(
            {
                "patient_id": [f"P{i}" for i in rows],
                "n": [i + first for i in rows],
                "a": np.random.default_rng(0).normal(size=12),
            }
        ).to_csv(tmp_path / "t.csv", index=False)
        with pytest.raises(ValueError, match=f"column 'n' numbers the rows \\({first} to {11 + first}\\)"):
            check_counters(read_matrix(tmp_path / "t.csv", ("patient_id",)), tmp_path / "t.csv")


def test_an_unnamed_index_of_parquet_is_no_column(tmp_path):
    pd.DataFrame({"patient_id": ["a", "b"], "x": [1, 2]}, index=[5, 9]).to_parquet(tmp_path / "t.parquet")
    assert "__index_level_0__" in pq.read_schema(tmp_path / "t.parquet").names and columns_of(
        tmp_path / "t.parquet"
    ) == ["patient_id", "x"]
    assert read_matrix(tmp_path / "t.parquet", ("patient_id",)).names == ["x"]


def test_numbers_are_read_to_the_last_digit(tmp_path):
    values = np.random.default_rng(0).normal(size=(40, 3)) * 10.0 ** np.arange(-20, 20)[:, None]
    frame = pd.DataFrame(values, columns=list("abc")).assign(patient_id=[f"P{i}" for i in range(40)])
    frame.to_csv(tmp_path / "t.csv", index=False)
    frame.to_parquet(tmp_path / "t.parquet")
    for name in ("t.csv", "t.parquet"):
        np.testing.assert_array_equal(read_matrix(tmp_path / name, ("patient_id",)).values, values)


def test_a_name_with_a_dot_in_parquet_is_one_column(tmp_path):
    pq.write_table(pa.table({"patient_id": ["a"], "patient_id.1": ["b"]}), tmp_path / "t.parquet")
    assert read_sheet(tmp_path / "t.parquet", ["patient_id"]).to_dict("list") == {"patient_id": ["a"]}


CELLS = st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\0"), max_size=6)


@settings(deadline=None, max_examples=150)
@given(
    st.lists(st.lists(CELLS, min_size=2, max_size=2), max_size=6),
    st.lists(CELLS, min_size=2, max_size=2, unique=True),
    st.sampled_from(["t.csv", "t.tsv"]),
)
def test_whatever_a_writer_quotes_is_read_back(tmp_path_factory, rows, names, file):
    """Any text that the csv module writes: cells stripped, nothing lost, nothing moved to another column."""
    buffer = io.StringIO()
    csv.writer(buffer, delimiter="," if file == "t.csv" else "\t", quoting=csv.QUOTE_ALL).writerows([names, *rows])
    path = table(tmp_path_factory.mktemp("t"), buffer.getvalue(), file)
    if not any(n.strip() for n in names):
        return
    header = header_of(path)
    wanted = [n for n in header if n]
    if len(set(wanted)) < len(wanted) or not any(said(n) or n.strip() for n in names):
        return
    kept = [row for row in rows if any(cell.strip() for cell in row)]
    read = read_sheet(path, wanted)
    for name in wanted:
        assert read[name].tolist() == [said(row[header.index(name)]) for row in kept]


@settings(deadline=None, max_examples=200)
@given(st.text(st.sampled_from("abP1, \t;\"\n\r'#\x00é"), max_size=60), st.sampled_from(["t.csv", "t.tsv"]))
def test_any_text_is_read_or_refused_by_name(tmp_path_factory, text, file):
    path = table(tmp_path_factory.mktemp("t"), text, file)
    for read in (read_sheet, lambda p: read_matrix(p, ("patient_id",))):
        try:
            read(path)
        except ValueError as error:
            assert file in str(error)


def test_words_for_nothing_are_lower_case_and_hold_no_number():
    assert all(word == word.lower().strip() and not word.isdigit() for word in MISSING)
