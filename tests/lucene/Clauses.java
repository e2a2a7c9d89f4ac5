import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import org.apache.lucene.analysis.core.KeywordAnalyzer;
import org.apache.lucene.queryparser.classic.ParseException;
import org.apache.lucene.queryparser.classic.QueryParser;
import org.apache.lucene.search.MatchAllDocsQuery;
import org.apache.lucene.search.Query;

/**
 * Reads queries from standard input, one a line, and prints the clauses that Lucene's classic parser finds in each. Texts are
 * written as four hexadecimal digits for each UTF-16 unit. An answer is `!` for a query that is refused, else
 * `kind,field,text[,text]` for each clause; a clause of the default field has none.
 */
public final class Clauses extends QueryParser {
    private static final String DEFAULT_FIELD = "\uffff";

    private final StringBuilder found = new StringBuilder("=");

    private Clauses() {
        super(DEFAULT_FIELD, new KeywordAnalyzer());
        setAllowLeadingWildcard(true);
        setSplitOnWhitespace(true);
    }

    private Query note(String kind, String field, String... texts) {
        found.append(' ').append(kind).append(',').append(field.equals(DEFAULT_FIELD) ? "" : encode(field));
        for (String text : texts) {
            found.append(',').append(text == null ? "" : encode(text));
        }
        return new MatchAllDocsQuery();
    }

    @Override
    protected Query getFieldQuery(String field, String text, boolean quoted) {
        return note("word", field, text);
    }

    @Override
    protected Query getFieldQuery(String field, String text, int slop) {
        return note("phrase", field, text);
    }

    @Override
    protected Query getPrefixQuery(String field, String text) {
        return note("prefix", field, text);
    }

    @Override
    protected Query getWildcardQuery(String field, String text) {
        return note("wildcard", field, text);
    }

    @Override
    protected Query getRegexpQuery(String field, String text) {
        return note("regex", field, text);
    }

    @Override
    protected Query getFuzzyQuery(String field, String text, float distance) {
        return note("fuzzy", field, text);
    }

    @Override
    protected Query getRangeQuery(String field, String lower, String upper, boolean fromLower, boolean toUpper) {
        return note(fromLower ? toUpper ? "[]" : "[}" : toUpper ? "{]" : "{}", field, lower, upper);
    }

    private static String encode(String text) {
        StringBuilder digits = new StringBuilder("x");
        text.chars().forEach(unit -> digits.append(String.format("%04x", unit)));
        return digits.toString();
    }

    private static String decode(String digits) {
        StringBuilder text = new StringBuilder();
        for (int at = 0; at < digits.length(); at += 4) {
            text.append((char) Integer.parseInt(digits.substring(at, at + 4), 16));
        }
        return text.toString();
    }

    public static void main(String[] arguments) throws Exception {
        BufferedReader queries = new BufferedReader(new InputStreamReader(System.in, "US-ASCII"));
        PrintStream answers = new PrintStream(System.out, false, "US-ASCII");
        for (String line = queries.readLine(); line != null; line = queries.readLine()) {
            Clauses parser = new Clauses();
            String answer;
            try {
                parser.parse(decode(line));
                answer = parser.found.toString();
            } catch (ParseException refusal) {
                answer = "!";
            }
            answers.print(answer);
            answers.print('\n');
        }
        answers.flush();
    }
}
