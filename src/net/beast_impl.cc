// Beast is compiled once, here (BOOST_BEAST_SEPARATE_COMPILATION): every other file only sees declarations.
#include <boost/beast/src.hpp>
