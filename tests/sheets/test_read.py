"""Tables as people write them: read as they are meant, or refused with file, place and what to do."""

import csv
import gzip
import io

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from confuselt.sheets.read import check_counters, columns_of, header_of, notes_of, read_matrix, read_sheet
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
        ("<!DOCTYPE html>\n<html><body>503</body></html>\n", "web page"),
        ("PK\x03\x04 zip", "t.csv: this is no text, it is a workbook"),
        ("PAR1....", "t.csv: this is no text, it is Parquet: name it .parquet"),
        (
            "patient_id;a\nP1;1,234\nP2;2,500\n",
            "t.csv: column 'a': '1,234' may be a number with a decimal comma or a whole number",
        ),
        ("", "the file has no row"),
        ("\n \n", "the file has no row"),
        ("patient_id,a\nP1,\0\n", "t.csv"),
    ],
)
def test_what_is_no_table_is_refused_with_its_place(tmp_path, text, said_):
    with pytest.raises(ValueError, match=said_):
        read_sheet(table(tmp_path, text))


def test_other_files_are_named(tmp_path):
    (tmp_path / "t.csv").write_bytes(b"patient_id,a\nP1,\x81\n")
    with pytest.raises(ValueError, match="t.csv: the bytes are neither UTF-8 nor cp1252"):
        read_sheet(tmp_path / "t.csv")
    for name, what in (("t.parquet", "Parquet"), ("t.feather", "Feather"), ("t.xlsx", "a workbook")):
        (tmp_path / name).write_bytes(b"something else")
        with pytest.raises(ValueError, match=f"{name}: cannot be read as {what}"):
            columns_of(tmp_path / name)
    (tmp_path / "t.csv.gz").write_bytes(b"patient_id,a\n")
    with pytest.raises(ValueError, match="t.csv.gz: the file is not compressed by gzip"):
        columns_of(tmp_path / "t.csv.gz")
    (tmp_path / "u.csv").write_bytes(gzip.compress(b"patient_id,a\nP1,1\n"))
    with pytest.raises(ValueError, match="u.csv: the file is compressed by gzip"):
        columns_of(tmp_path / "u.csv")
    (tmp_path / "cut.csv.gz").write_bytes(gzip.compress(b"patient_id,a\n" + b"P1,1\n" * 9999)[:-20])
    with pytest.raises(ValueError, match="cut.csv.gz: .*is the file whole"):
        read_sheet(tmp_path / "cut.csv.gz")


ROWS = [{"patient_id": "007", "größe": "1.5", "note": "a b"}, {"patient_id": "P2", "größe": "-2", "note": "c; d"}]


def as_text(separator, decimal="."):
    cells = [list(ROWS[0]), *([*row.values()] for row in ROWS)]
    cells[1][1] = cells[1][1].replace(".", decimal)
    return "\n".join(separator.join(f'"{cell}"' for cell in row) for row in cells) + "\n"


@pytest.mark.parametrize("name", ["t.csv", "t.tsv", "t.txt", "t.CSV"])
@pytest.mark.parametrize("separator", [",", ";", "\t", "|", " "])
def test_the_separator_is_found_whatever_the_ending(tmp_path, separator, name):
    path = table(tmp_path, as_text(separator), name)
    assert read_sheet(path).to_dict("records") == ROWS
    usual = "," if name.lower().endswith(".csv") else "\t"
    assert bool(notes_of(path)) == (separator != usual)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("compressed", [False, True])
def test_the_encoding_is_found(tmp_path, encoding, compressed):
    text = as_text(",").encode(encoding)
    path = tmp_path / ("t.csv.gz" if compressed else "t.csv")
    path.write_bytes(gzip.compress(text) if compressed else text)
    assert read_sheet(path).to_dict("records") == ROWS
    assert ("utf-8" in encoding) == (not notes_of(path))


def test_a_letter_of_another_encoding_far_down_is_read_right(tmp_path):
    rows = b"patient_id,name\n" + b"".join(b"P%07d,x\n" % i for i in range(500_000)) + "Q,größe\n".encode("cp1252")
    (tmp_path / "t.csv").write_bytes(rows)
    assert read_sheet(tmp_path / "t.csv", ["name"])["name"].iloc[-1] == "größe"


def test_decimal_commas_are_numbers_where_the_separator_is_none(tmp_path):
    path = table(tmp_path, as_text(";", decimal=","))
    assert read_sheet(path).to_dict("records") == ROWS and "decimal comma" in " ".join(notes_of(path))
    many = table(tmp_path, "patient_id;a;b\n" + "".join(f"P{i};{i},25;{-i}\n" for i in range(300)), "m.csv")
    assert read_matrix(many, ("patient_id",)).values.tolist() == [[i + 0.25, -i] for i in range(300)]
    both = table(tmp_path, "patient_id;a;b\nP1;1,5;2.5\n", "b.csv")
    assert read_matrix(both, ("patient_id",)).values.tolist() == [[1.5, 2.5]], "column by column"
    late = table(tmp_path, "patient_id;a\n" + "P1;1,5\n" * 300 + "P2;2.5\n", "l.csv")
    with pytest.raises(
        ValueError, match="row 301: '2.5' has a decimal point, other numbers of column 'a' a decimal comma"
    ):
        read_sheet(late)


def test_a_list_in_a_cell_and_points_elsewhere_are_no_decimal_commas(tmp_path):
    path = table(tmp_path, "id;exons;stage;dose;version\nP1;1,2,3;1,2;0,5;1.5\nP2;4,5;X;1;1.6\n", "t.csv")
    assert read_sheet(path).iloc[0].tolist() == ["P1", "1,2,3", "1,2", "0.5", "1.5"]
    assert "numbers of 'dose' have a decimal comma" in notes_of(path)


def test_excels_line_of_the_separator_is_no_header(tmp_path):
    path = table(tmp_path, "sep=;\nid;a\nP1;1\nP2;2\n", "t.csv")
    assert read_sheet(path).to_dict("list") == {"id": ["P1", "P2"], "a": ["1", "2"]}


@pytest.mark.parametrize(
    ("above", "said_"),
    [
        ("#Patient Identifier\tage\n#STRING\tNUMBER\n", "2 lines above the header"),
        ("# gene-model: GENCODE v36\n", "1 line above the header"),
        ("Supplementary Table 1: patients\n", "'Supplementary Table 1: patients' above the header"),
        ("Supplementary Table 1\t\t\n\nsee the text\t\t\n", "'see the text' above the header"),
    ],
)
def test_lines_above_the_header_are_left_out_and_said(tmp_path, above, said_):
    path = table(tmp_path, above + "patient_id\tage\tos\nP1\t50\t1\nP2\t60\t0\n", "t.txt")
    assert columns_of(path) == ["patient_id", "age", "os"] and read_sheet(path)["age"].tolist() == ["50", "60"]
    assert any(said_ in note for note in notes_of(path))


def test_a_header_that_begins_with_a_hash_is_one(tmp_path):
    path = table(tmp_path, "#patient_id\tage\nP1\t50\nP2\t60\n", "t.tsv")
    assert read_sheet(path).to_dict("list") == {"patient_id": ["P1", "P2"], "age": ["50", "60"]}


def test_workbooks_and_feather(tmp_path):
    frame = pd.DataFrame(
        {
            "patient_id": ["007", "P2"],
            "a": [1, 2.5],
            "when": pd.to_datetime(["2020-03-01", None]),
            "dead": [True, False],
        }
    )
    frame.to_feather(tmp_path / "t.feather")
    frame.to_excel(tmp_path / "t.xlsx", index=False)
    wanted = {"patient_id": ["007", "P2"], "a": ["1", "2.5"], "dead": ["True", "False"]}
    for name in ("t.feather", "t.xlsx"):
        path = tmp_path / name
        assert columns_of(path) == list(frame)
        assert read_sheet(path, ["patient_id", "a", "dead"]).to_dict("list") == wanted
        numbers = frame[["patient_id", "a"]]
        numbers.to_feather(path) if name == "t.feather" else numbers.to_excel(path, index=False)
        np.testing.assert_array_equal(read_matrix(path, ("patient_id",)).values, [[1], [2.5]])
    titled = pd.DataFrame([["Table S1", None, None, None], list(frame), *frame.astype(object).to_numpy()])
    with pd.ExcelWriter(tmp_path / "book.xlsx") as book:
        titled.to_excel(book, sheet_name="data", index=False, header=False)
        pd.DataFrame().to_excel(book, sheet_name="empty")
    path = tmp_path / "book.xlsx"
    read = read_sheet(path)
    assert read.drop(columns="when").to_dict("list") == wanted and read["when"].tolist() == ["2020-03-01", None]
    assert notes_of(path) == ["the line 'Table S1' above the header is left out", "its sheet 'data' is read"]
    with pd.ExcelWriter(path) as book:
        for name in ("one", "two"):
            frame.to_excel(book, sheet_name=name, index=False)
    with pytest.raises(ValueError, match="several sheets have rows \\('one', 'two'\\); save the wanted one"):
        columns_of(path)


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
